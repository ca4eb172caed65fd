/**
 * Errors across gRPC: one table from error codes to status codes, and the translation in both directions.
 *
 * The exact code and the context travel in trailing metadata, as several codes share one status. Which status an
 * HTTP answer has is the controller's business.
 */
import { Metadata, status as Status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { RedroverError } from '@redrover/core';
import type { ErrorCode, ErrorContext } from '@redrover/core';

const CODE_KEY = 'redrover-error-code';
/** JSON of the context; the suffix `-bin` makes gRPC carry any bytes. */
const CONTEXT_KEY = 'redrover-error-context-bin';

/**
 * Trailers share one HTTP/2 header block of 64 KiB (Node's `maxHeaderListSize`), and a larger one loses the whole
 * answer. Percent encoding makes up to 9 bytes of a character, base64 4 of 3: 18 KB and 22 KB at the worst.
 */
const MAX_MESSAGE_LENGTH = 2_000;
const MAX_CONTEXT_BYTES = 16 * 1024;

/** The status that each error code travels as. */
export const GRPC_STATUS_BY_CODE: Readonly<Record<ErrorCode, Status>> = {
  'invalid-argument': Status.INVALID_ARGUMENT,
  'not-found': Status.NOT_FOUND,
  'already-exists': Status.ALREADY_EXISTS,
  'failed-precondition': Status.FAILED_PRECONDITION,
  'stale-plan': Status.ABORTED,
  fenced: Status.FAILED_PRECONDITION,
  'permission-denied': Status.PERMISSION_DENIED,
  unauthenticated: Status.UNAUTHENTICATED,
  unavailable: Status.UNAVAILABLE,
  'deadline-exceeded': Status.DEADLINE_EXCEEDED,
  'resource-exhausted': Status.RESOURCE_EXHAUSTED,
  integrity: Status.DATA_LOSS,
  'build-failed': Status.FAILED_PRECONDITION,
  'data-loss': Status.FAILED_PRECONDITION,
  cancelled: Status.CANCELLED,
  internal: Status.INTERNAL,
};

/** What a status means that came without our metadata: from grpc-js itself, or from a peer that is not ours. */
const CODE_BY_STATUS: Readonly<Record<Status, ErrorCode>> = {
  [Status.OK]: 'internal',
  [Status.CANCELLED]: 'cancelled',
  [Status.UNKNOWN]: 'internal',
  [Status.INVALID_ARGUMENT]: 'invalid-argument',
  [Status.DEADLINE_EXCEEDED]: 'deadline-exceeded',
  [Status.NOT_FOUND]: 'not-found',
  [Status.ALREADY_EXISTS]: 'already-exists',
  [Status.PERMISSION_DENIED]: 'permission-denied',
  [Status.RESOURCE_EXHAUSTED]: 'resource-exhausted',
  [Status.FAILED_PRECONDITION]: 'failed-precondition',
  [Status.ABORTED]: 'failed-precondition',
  [Status.OUT_OF_RANGE]: 'invalid-argument',
  // The peer is of another version, or the wrong listener was dialled.
  [Status.UNIMPLEMENTED]: 'failed-precondition',
  [Status.INTERNAL]: 'internal',
  [Status.UNAVAILABLE]: 'unavailable',
  [Status.DATA_LOSS]: 'integrity',
  [Status.UNAUTHENTICATED]: 'unauthenticated',
};

/** Whether the text is one of the codes of `RedroverError`; a newer peer may send others. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(GRPC_STATUS_BY_CODE, text);
}

/** What a grpc-js handler gives to its callback, or a Nest filter to `throwError`. Long texts are shortened. */
export function toGrpcError(error: RedroverError): ServiceError {
  const metadata = new Metadata();
  metadata.set(CODE_KEY, error.code);
  const context = encodeContext(error.context);
  if (context !== undefined) metadata.set(CONTEXT_KEY, context);
  // grpc-js encodes details with encodeURI, which throws on half a surrogate pair.
  const details = error.message.slice(0, MAX_MESSAGE_LENGTH).toWellFormed();
  const code = GRPC_STATUS_BY_CODE[error.code];
  return Object.assign(new Error(details), { code, details, metadata });
}

export interface CallDescription {
  /** Where the call went, for example `127.0.0.1:7400`. */
  readonly address: string;
  /** For example `/redrover.api.v1.HostService/ListHosts`. */
  readonly path: string;
}

/** Translates what grpc-js reported of a call into the error that the peer threw, or into ours. */
export function fromGrpcError(error: ServiceError, call: CallDescription): RedroverError {
  const code = error.metadata?.get(CODE_KEY)[0];
  if (typeof code === 'string' && isErrorCode(code)) {
    const context = decodeContext(error.metadata.get(CONTEXT_KEY)[0]);
    return new RedroverError(code, error.details, { context, cause: error });
  }
  return new RedroverError(CODE_BY_STATUS[error.code] ?? 'internal', explain(error, call), {
    context: { address: call.address, method: call.path },
    cause: error,
  });
}

function explain(error: ServiceError, call: CallDescription): string {
  const { address, path } = call;
  switch (error.code) {
    case Status.UNAVAILABLE:
      return `cannot reach the controller at ${address}: ${error.details}`;
    case Status.DEADLINE_EXCEEDED:
      return `no answer from ${address} to ${path} in time; whether it was done is unknown`;
    case Status.CANCELLED:
      return `the call of ${path} at ${address} was cancelled`;
    case Status.UNIMPLEMENTED:
      return (
        `${address} does not know ${path}: it is another listener of the controller, ` +
        `or a controller of another version`
      );
    default:
      return `${path} at ${address} failed: ${error.details}`;
  }
}

function encodeContext(context: ErrorContext): Buffer | undefined {
  if (Object.keys(context).length === 0) return undefined;
  const entries = Object.entries(context).map(([key, value]) => ({ key, value }));
  for (;;) {
    const json = JSON.stringify(Object.fromEntries(entries.map(({ key, value }) => [key, value])));
    const bytes = Buffer.from(json);
    if (bytes.length <= MAX_CONTEXT_BYTES) return bytes;
    const longest = entries.reduce((a, b) => (b.value.length > a.value.length ? b : a));
    // Too many keys rather than too long values: no error of ours is like that, nothing is worth keeping.
    if (longest.value.length < 16) return undefined;
    // The end is what matters in the output of a compiler or a log.
    longest.value = `…${longest.value.slice(-Math.floor(longest.value.length / 2))}`;
  }
}

function decodeContext(bytes: string | Buffer | undefined): ErrorContext {
  if (bytes === undefined || typeof bytes === 'string') return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString('utf8'));
  } catch {
    // The context is an extra; the error itself must not get lost over it.
    return {};
  }
  if (typeof parsed !== 'object' || parsed === null) return {};
  const entries = Object.entries(parsed).filter(([, value]) => typeof value === 'string');
  return Object.fromEntries(entries);
}
