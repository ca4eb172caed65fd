/** What the error replies of Redis mean to us, by the code that a reply starts with; no client is needed for that. */
import { RedroverError, type ErrorCode } from '@redrover/core';

/** The first word of an error reply is its code (Redis documentation, "RESP protocol", simple errors). */
const CODES: Readonly<Record<string, ErrorCode>> = {
  NOAUTH: 'unauthenticated',
  WRONGPASS: 'unauthenticated',
  NOPERM: 'permission-denied',
  LOADING: 'unavailable',
  BUSY: 'unavailable',
  CLUSTERDOWN: 'unavailable',
  TRYAGAIN: 'unavailable',
  MASTERDOWN: 'unavailable',
  READONLY: 'failed-precondition',
  MOVED: 'failed-precondition',
  ASK: 'failed-precondition',
  CROSSSLOT: 'failed-precondition',
  NOREPLICAS: 'failed-precondition',
  OOM: 'resource-exhausted',
  MISCONF: 'resource-exhausted',
  ERR: 'failed-precondition',
};

/** The code of the text of an error reply. */
export function replyCode(message: string): string {
  return message.split(' ', 1)[0] ?? '';
}

/** `attempted` names the command and the node, never its arguments: they may be secret. */
export function errorOfReply(message: string, attempted: string, cause?: unknown): RedroverError {
  const reply = replyCode(message);
  return new RedroverError(CODES[reply] ?? 'failed-precondition', `${attempted}: ${message}`, {
    context: { reply },
    cause,
  });
}
