/**
 * A key that both ends hold: MIGRATE answers BUSYKEY. Which copy counts follows from how the slot was opened.
 *
 * A source that is MIGRATING creates no keys (a missing one is asked of the target), so a key that it has, it has had
 * since it was opened, and a copy on the target is what a MIGRATE without an answer left there: REPLACE. That holds also
 * after a SIGKILL of the source, which keeps MIGRATING in nodes.conf. It does not hold for a promoted replica, which took
 * writes without MIGRATING; nor after a power cut, when the AOF may lack the last deletions.
 */
import type { SlotFacts } from './slot-facts.ts';

/** What the mover keeps in its task file about a slot, so that a mover that is started anew knows it too. */
export interface CleanOpening {
  readonly slot: number;
  /** Node id. */
  readonly sourceId: string;
  /** `/proc/sys/kernel/random/boot_id` of the source's host: another one means that power may have been cut. */
  readonly bootId: string;
}

/**
 * Whether a slot that is about to get MIGRATING (`setMigrating` was the answer to these facts) is opened cleanly: to be
 * written down before the command is sent. A source that is MIGRATING already keeps what was written down of it.
 */
export function opensCleanly(facts: SlotFacts): boolean {
  const { said: source } = facts.source;
  const { said: target } = facts.target;
  if (source === undefined || target === undefined) return false;
  return source.migratingTo === undefined && target.keys === 0;
}

/**
 * - `replace`: the source's copy counts: MIGRATE again with REPLACE.
 * - `compare`: DUMP on both; if they are equal, REPLACE; else it is a conflict for `TaskFacts`.
 */
export function judgeBusyKey(
  opening: CleanOpening | undefined,
  now: { readonly sourceId: string; readonly bootId: string },
): 'replace' | 'compare' {
  const isSame = opening?.sourceId === now.sourceId && opening.bootId === now.bootId;
  return isSame ? 'replace' : 'compare';
}
