/** Errors inside messages: `CommandError` and error codes as strings. Errors of calls are in `grpc/status.ts`. */
import { create } from '@bufbuild/protobuf';
import { RedroverError } from '@redrover/core';
import type { ErrorCode } from '@redrover/core';
import * as proto from '@redrover/proto';
import { isErrorCode } from './grpc/status.ts';

/** The cause stays behind: it belongs to the process that met it. */
export function commandErrorToProto(error: RedroverError): proto.CommandError {
  return create(proto.CommandErrorSchema, {
    code: error.code,
    message: error.message,
    context: { ...error.context },
  });
}

export function commandErrorFromProto(message: proto.CommandError): RedroverError {
  const code = errorCodeFromProto(message.code);
  const context = { ...message.context };
  if (code !== message.code) context['peerCode'] = message.code;
  return new RedroverError(code, message.message, { context });
}

/** A code that only a newer peer knows becomes `internal`: an error must not get lost over its code. */
export function errorCodeFromProto(code: string): ErrorCode {
  return isErrorCode(code) ? code : 'internal';
}
