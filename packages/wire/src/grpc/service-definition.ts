/**
 * Turns protobuf-es services into the definitions that grpc-js (and NestJS on top of it) serves.
 *
 * Responsible for paths, message framing and method names alone. Calls are in `client.ts`, errors in
 * `status.ts`; what a service does is the business of whoever serves it.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { DescMessage, DescMethod, DescService, MessageInitShape } from '@bufbuild/protobuf';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';

/** What `grpc.loadPackageDefinition` takes: services by full name. */
export type PackageDefinition = Readonly<Record<string, ServiceDefinition>>;

/** Any message or its init shape; grpc-js does not know the types of what it carries. */
type AnyMessage = object;

/**
 * The definition of one service, for `server.addService(toServiceDefinition(HostService), { listHosts, … })`.
 *
 * Handlers may answer with a message or with its init shape (what `create` takes).
 */
export function toServiceDefinition(service: DescService): ServiceDefinition {
  const methods: Record<string, MethodDefinition<AnyMessage, AnyMessage>> = {};
  for (const method of service.methods) methods[method.name] = toMethodDefinition(method);
  return methods;
}

/**
 * The definitions of several services by full name, as `@grpc/proto-loader` would have loaded them from files.
 *
 * NestJS 12 takes it as the gRPC transport's `packageDefinition`, in place of `protoPath`:
 *
 *     app.connectMicroservice<GrpcOptions>({
 *       transport: Transport.GRPC,
 *       options: {
 *         package: 'redrover.api.v1',
 *         packageDefinition: toPackageDefinition(HostService, ReleaseService),
 *         url: '127.0.0.1:7400',
 *         channelOptions: serverChannelOptions(),
 *       },
 *     });
 *
 *     @Controller()
 *     class HostsController {
 *       @GrpcMethod('HostService', 'ListHosts')
 *       listHosts(request: ListHostsRequest): MessageInitShape<typeof ListHostsResponseSchema> { … }
 *
 *       // Streams of requests are taken raw: `@GrpcStreamMethod` buffers without bound what comes in.
 *       @GrpcStreamCall('ReleaseService', 'UploadRelease')
 *       upload(call: ServerReadableStream<UploadReleaseRequest, …>, done: sendUnaryData<…>): void { … }
 *
 *       @GrpcStreamCall('AgentService', 'Session')
 *       session(call: ServerDuplexStream<SessionRequest, SessionResponse>): void { … }
 *     }
 *
 * Both `ListHosts` and `listHosts` name the method. Throw `toGrpcError(error)` from an exception filter
 * (`catch: (thrown) => throwError(() => toGrpcError(RedroverError.from(thrown)))`): Nest's own filter
 * replaces every message by `Internal server error`. Filters do not see what a `@GrpcStreamCall` handler
 * throws: it ends the call itself, with `done(toGrpcError(error))` or `call.emit('error', toGrpcError(error))`.
 */
export function toPackageDefinition(...services: readonly DescService[]): PackageDefinition {
  return Object.fromEntries(
    services.map((service) => [service.typeName, toServiceDefinition(service)]),
  );
}

/** The definition of one method; `client.ts` reads path and codecs from it as well. */
export function toMethodDefinition(method: DescMethod): MethodDefinition<AnyMessage, AnyMessage> {
  const { methodKind } = method;
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: methodKind === 'client_streaming' || methodKind === 'bidi_streaming',
    responseStream: methodKind === 'server_streaming' || methodKind === 'bidi_streaming',
    requestSerialize: serializer(method.input),
    requestDeserialize: (bytes) => fromBinary(method.input, bytes),
    responseSerialize: serializer(method.output),
    responseDeserialize: (bytes) => fromBinary(method.output, bytes),
    originalName: method.localName,
  };
}

function serializer(schema: DescMessage): (message: AnyMessage) => Buffer {
  return (message) => {
    const bytes = toBinary(schema, create(schema, message as MessageInitShape<DescMessage>));
    // A view of the same memory: grpc-js wants a Buffer, and messages may hold 256 KiB chunks.
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}
