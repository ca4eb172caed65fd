/** Translates what ioredis throws, once, by type and by the error code that a reply starts with. */
import { ReplyError } from 'ioredis';
import { RedroverError } from '@redrover/core';
import { errorOfReply, replyCode } from './reply-codes.ts';

/** The code of an error reply; undefined for anything that is not a reply. */
export function replyCodeOf(thrown: unknown): string | undefined {
  const cause = thrown instanceof RedroverError ? thrown.cause : thrown;
  return cause instanceof (ReplyError as typeof Error) ? replyCode(cause.message) : undefined;
}

/** `attempted` names the command and the node, never its arguments: they may be secret. */
export function redisError(thrown: unknown, attempted: string): RedroverError {
  if (thrown instanceof RedroverError) return thrown;
  // ioredis keeps the command on its errors, with the arguments: of an AUTH, the password.
  if (thrown instanceof Error) Reflect.deleteProperty(thrown, 'command');
  const reply = replyCodeOf(thrown);
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  if (reply !== undefined) return errorOfReply(detail, attempted, thrown);
  // Everything else is about the connection: refused, reset, closed, never made.
  return new RedroverError('unavailable', `${attempted}: no connection (${detail})`, {
    cause: thrown,
  });
}
