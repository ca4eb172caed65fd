/**
 * A key that both ends hold: which copy counts follows from what became of the source since it was sent.
 *
 * A source that is MIGRATING creates no keys (a missing one is asked of the target), so a key that it holds, it has
 * held all along, and a copy on the target is what a MIGRATE without an answer left there: REPLACE. That does not hold
 * for a source that was started anew, whose AOF may lack the last deletions and writes, so that the target's copy may be
 * the newer one; nor for a dataset that came from another master; nor for keys that somebody else has sent.
 */

/** One life of a dataset in a process: another one after a restart, a promotion, or a full sync. */
export interface SourceLife {
  /** `run_id` of `INFO server`. */
  readonly runId: string;
  /** `master_replid` of `INFO replication`: new with each promotion. */
  readonly replicationId: string;
}

/**
 * `sentUnder`: the source's life when this mover sent the keys; undefined: it did not.
 *
 * - `replace`: the source's copy counts: MIGRATE with REPLACE.
 * - `compare`: DUMP on both; if they are equal, REPLACE; else it is a conflict for `TaskFacts`.
 */
export function judgeBusyKey(
  sentUnder: SourceLife | undefined,
  now: SourceLife | undefined,
): 'replace' | 'compare' {
  if (sentUnder === undefined || now === undefined) return 'compare';
  const isSame = sentUnder.runId === now.runId && sentUnder.replicationId === now.replicationId;
  return isSame ? 'replace' : 'compare';
}
