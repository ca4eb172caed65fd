/**
 * A typed gRPC client for a protobuf-es service: promises and async iterables instead of callbacks and events.
 *
 * Every failure is a `RedroverError`; an error that the server threw arrives with its own code, message and
 * context. Nothing is tried again here: whether that is safe is known to the caller alone.
 */
import { create } from '@bufbuild/protobuf';
import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import { Client as GrpcClient, credentials as Credentials } from '@grpc/grpc-js';
import type { ChannelCredentials } from '@grpc/grpc-js';
import { RedroverError } from '@redrover/core';
import { startBidi, startServerStreaming } from './client-streams.ts';
import type { BidiCall } from './client-streams.ts';
import { callUnary, callClientStreaming } from './client-unary.ts';
import { CallTarget } from './call-target.ts';
import { clientChannelOptions } from './channel-options.ts';

export interface ClientOptions {
  /** Sent as `authorization: Bearer <token>` with every call; default: none. */
  readonly token?: string | undefined;
  /** Time limit of unary calls that name none, in milliseconds; default 30000. Streams have no default limit. */
  readonly timeoutMs?: number | undefined;
  /** Default: no TLS. */
  readonly credentials?: ChannelCredentials | undefined;
}

export interface CallOptions {
  /** Cancels the call; its reason is thrown if it is a `RedroverError`, else one with the code `cancelled`. */
  readonly signal?: AbortSignal | undefined;
  /** From now to the end of the call, in milliseconds. */
  readonly timeoutMs?: number | undefined;
}

/** One function per method, by its name in camelCase, and `close`, which no rpc may therefore be called. */
export type Client<Service extends DescService> = {
  readonly [Name in keyof Service['method']]: ClientMethod<Service['method'][Name]>;
} & {
  /** Ends the connection; calls under way fail with `unavailable` or `cancelled`. */
  close(): void;
};

export type ClientMethod<Method> =
  Method extends DescMethodUnary<infer I, infer O>
    ? (request: MessageInitShape<I>, options?: CallOptions) => Promise<MessageShape<O>>
    : Method extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageInitShape<I>, options?: CallOptions) => AsyncIterable<MessageShape<O>>
      : Method extends DescMethodClientStreaming<infer I, infer O>
        ? (
            requests: AsyncIterable<MessageInitShape<I>>,
            options?: CallOptions,
          ) => Promise<MessageShape<O>>
        : Method extends DescMethodBiDiStreaming<infer I, infer O>
          ? (options?: CallOptions) => BidiCall<MessageInitShape<I>, MessageShape<O>>
          : never;

/** Long enough for a slow disk or a busy controller; a person who waits longer believes that it hangs. */
const DEFAULT_TIMEOUT_MS = 30_000;

/**
 * A client of `service` at `address` (`host:port`). It connects with the first call.
 *
 *     const hosts = createClient(HostService, '127.0.0.1:7400', { token });
 *     const { hosts: list } = await hosts.listHosts({});
 *     for await (const event of operations.watchOperation({ operation }, { signal })) { … }
 *     await releases.uploadRelease(parts());
 *     const session = agents.session();
 *     await session.send({ message: { case: 'hello', value: hello } });
 *     for await (const response of session.messages) { … }
 *
 * Throws `invalid-argument` for a token that cannot be sent.
 */
export function createClient<Service extends DescService>(
  service: Service,
  address: string,
  options: ClientOptions = {},
): Client<Service> {
  const grpc = new GrpcClient(
    address,
    options.credentials ?? Credentials.createInsecure(),
    clientChannelOptions(),
  );
  const target = new CallTarget(grpc, address, checkedToken(options.token));
  const unaryTimeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const methods = service.methods.map((method) => [
    method.localName,
    clientMethod(target, method, unaryTimeoutMs),
  ]);
  return {
    ...Object.fromEntries(methods),
    close: () => grpc.close(),
  } as Client<Service>;
}

type Init = MessageInitShape<DescMessage>;

function clientMethod(target: CallTarget, method: DescMethod, unaryTimeoutMs: number): unknown {
  const call = target.method(method);
  switch (method.methodKind) {
    case 'unary':
      return (request: Init, options: CallOptions = {}) =>
        callUnary(call, create(method.input, request), {
          ...options,
          timeoutMs: options.timeoutMs ?? unaryTimeoutMs,
        });
    case 'server_streaming':
      return (request: Init, options: CallOptions = {}) =>
        startServerStreaming(call, create(method.input, request), options);
    case 'client_streaming':
      return (requests: AsyncIterable<Init>, options: CallOptions = {}) =>
        callClientStreaming(call, requests, options);
    case 'bidi_streaming':
      return (options: CallOptions = {}) => startBidi(call, options);
  }
}

function checkedToken(token: string | undefined): string | undefined {
  // What HTTP/2 headers may hold of it; the token itself must not stand in the message.
  if (token === undefined || /^[\x21-\x7e]+$/.test(token)) return token;
  throw new RedroverError(
    'invalid-argument',
    'the token is empty or holds spaces, line breaks or characters beyond ASCII; ' +
      'check the token file',
  );
}
