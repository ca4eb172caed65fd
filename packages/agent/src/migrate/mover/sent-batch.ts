/** Keys on their way: which of them are sent together, as which command, and whose word an error reply is. */
import type { MoveEnd, MoveLimits } from '@redrover/core';
import { encodeWithKeys } from '../link/resp-command.ts';
import type { ReplyFault } from '../link/resp-parser.ts';
import type { KeyBatch } from './list-keys.ts';
import type { DoubtfulKeys, SlotMemory } from './slot-memory.ts';

export interface SentBatch extends KeyBatch {
  readonly memory: SlotMemory;
  /** Keys that were sent before. */
  readonly doubt?: DoubtfulKeys;
  /** Whether the source's copy counts, whatever the target has. */
  readonly mayReplace?: boolean;
}

/**
 * Slots with few keys are listed, and their keys sent, by one write for so many of them: what a mover does for a slot
 * costs it more than what it does for a key.
 */
export const SLOTS_PER_WRITE = 4;

/** The first of them, and those after it that are sent with it: of other slots, and together no more than one batch. */
export function takeTogether(batches: readonly SentBatch[], bytesMax: number): SentBatch[] {
  const together: SentBatch[] = [];
  let bytes = 0;
  for (const batch of batches) {
    const isOther = together.every(({ memory }) => memory !== batch.memory);
    if (together.length > 0 && (!isOther || bytes + batch.bytes > bytesMax)) break;
    together.push(batch);
    bytes += batch.bytes;
  }
  return together;
}

/** A target that is busy with others for less than this is not given up. */
const MIGRATE_TIMEOUT_MIN_MS = 100;

export function migrateCommand(
  { keys, mayReplace = false }: SentBatch,
  to: { readonly target: MoveEnd; readonly password: string; readonly limits: MoveLimits },
): Buffer {
  const { target, password, limits } = to;
  const replace = mayReplace ? ['REPLACE'] : [];
  const auth = password === '' ? [] : ['AUTH', password];
  // A target that hangs lets each of those in flight wait for so long, one after another.
  const timeoutMs = Math.max(
    MIGRATE_TIMEOUT_MIN_MS,
    Math.floor(limits.migrateTimeoutMs / limits.slotsInFlight),
  );
  const head = ['MIGRATE', target.address, target.port, '', 0, timeoutMs, ...replace, ...auth];
  return encodeWithKeys([...head, 'KEYS'], keys);
}

/** `-ERR Target instance replied with error: CODE …`: what the target said travels within the reply. */
const FROM_TARGET = 'ERR Target instance replied with error: ';

export function textOfTarget({ message }: ReplyFault): string {
  return message.slice(FROM_TARGET.length).replace(/^-/, '');
}

export function codeOfTarget(fault: ReplyFault): string | undefined {
  if (!fault.message.startsWith(FROM_TARGET)) return undefined;
  return textOfTarget(fault).split(' ', 1)[0];
}
