/**
 * How good an assignment is: measures in the order of their weight, smaller is better.
 *
 * A later measure counts only between assignments that are equal in all earlier ones.
 */

export const MEASURES = [
  /** Breaches of rules that were not waived: anything but 0 is no layout. */
  'broken rules',
  /** Members that share a host with another of their shard, where that was accepted. */
  'members on one host',
  'members in one zone',
  /** Masters above what a domain may hold for the quorum, where that was accepted. */
  'masters above the quorum of a host',
  'masters above the quorum of a zone',
  /** Members above an even spread over the zones, and zones that a shard could use and does not. */
  'uneven spread over zones',
  'masters in one zone after losing one',
  'masters on one host after losing one',
  /** Sum of squares over hosts: smallest when all are as equal as can be. */
  'balance of masters',
  'balance of nodes',
] as const;

export type Measure = (typeof MEASURES)[number];

/** One number for each of `MEASURES`. */
export type Score = readonly number[];

/** Negative when `a` is better, 0 when they are equal. */
export function compareScores(a: Score, b: Score): number {
  for (let index = 0; index < MEASURES.length; index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** As `compareScores`, by what a loss does alone: how even hosts are does not count. */
export function compareSafety(a: Score, b: Score): number {
  const safety = (score: Score) => score.slice(0, MEASURES.indexOf('balance of masters'));
  return compareScores(safety(a), safety(b));
}

export function measureOf(score: Score, measure: Measure): number {
  return score[MEASURES.indexOf(measure)] ?? 0;
}
