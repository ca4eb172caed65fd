/** The wire: the only mapping between `proto` and `core`, and the adapter from protobuf-es to grpc-js. */
export {
  MAX_MESSAGE_BYTES,
  clientChannelOptions,
  serverChannelOptions,
} from './grpc/channel-options.ts';
export { createClient } from './grpc/client.ts';
export type { CallOptions, Client, ClientMethod, ClientOptions } from './grpc/client.ts';
export type { BidiCall } from './grpc/client-streams.ts';
export { toPackageDefinition, toServiceDefinition } from './grpc/service-definition.ts';
export { GRPC_STATUS_BY_CODE, fromGrpcError, isErrorCode, toGrpcError } from './grpc/status.ts';
export * from './cluster.ts';
export * from './error.ts';
export {
  listFromProto,
  numberFromProto,
  numberToProto,
  portFromProto,
  requiredField,
  timestampFromProto,
  timestampToProto,
} from './fields.ts';
export * from './host.ts';
export * from './host-change.ts';
export * from './migration.ts';
export * from './observation.ts';
export * from './operation.ts';
export * from './release.ts';
export * from './step.ts';
export * from './view.ts';
