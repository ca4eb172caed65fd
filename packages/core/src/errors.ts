/**
 * The one error class of the project and its closed set of codes.
 *
 * Foreign errors (gRPC, ioredis, Node, zod) are translated into this class once, at the adapter that meets them.
 * Mapping a code to a gRPC or HTTP status belongs to the controller's `api/` alone, not here.
 */

/**
 * What kind of thing went wrong, as far as a caller must tell them apart.
 *
 * - `invalid-argument`: the input is wrong whatever the state of the system is.
 * - `not-found`: what was named does not exist.
 * - `already-exists`: what was to be created exists, and differs.
 * - `failed-precondition`: the system is not in the state that the request needs.
 * - `stale-plan`: layout or topology moved since the plan was made; plan again.
 * - `fenced`: a command of an older controller incarnation, operation or layout, or one that expired.
 * - `permission-denied`: the process lacks the rights; the message names the command that gives them.
 * - `unauthenticated`: no token, or a wrong one.
 * - `unavailable`: a peer cannot be reached now; trying again may help.
 * - `deadline-exceeded`: it took longer than allowed; whether it was done is unknown.
 * - `resource-exhausted`: disk, memory or a quota is full.
 * - `integrity`: a digest, signature or archive is not what it claims to be.
 * - `build-failed`: the compiler said no; the context holds its last lines.
 * - `data-loss`: going on could lose data; a person decides.
 * - `cancelled`: somebody asked to stop.
 * - `internal`: a defect of Redrover.
 */
export type ErrorCode =
  | 'invalid-argument'
  | 'not-found'
  | 'already-exists'
  | 'failed-precondition'
  | 'stale-plan'
  | 'fenced'
  | 'permission-denied'
  | 'unauthenticated'
  | 'unavailable'
  | 'deadline-exceeded'
  | 'resource-exhausted'
  | 'integrity'
  | 'build-failed'
  | 'data-loss'
  | 'cancelled'
  | 'internal';

/** Facts beside the message, printable as they are; never a secret. */
export type ErrorContext = Readonly<Record<string, string>>;

export interface ErrorOptions {
  readonly context?: ErrorContext;
  readonly cause?: unknown;
}

/** Says what was attempted, on what, and what to do next. */
export class RedroverError extends Error {
  readonly code: ErrorCode;
  readonly context: ErrorContext;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'RedroverError';
    this.code = code;
    this.context = options.context ?? {};
  }

  /** Wraps whatever was thrown; an error that is one of ours already is returned as it is. */
  static from(thrown: unknown, code: ErrorCode = 'internal'): RedroverError {
    if (thrown instanceof RedroverError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new RedroverError(code, message, { cause: thrown });
  }
}
