/** How many slots each shard should have, by weights; which ones these are is not its business. */
import { SLOT_COUNT } from '../../model/slots.ts';

/** By shard id, 0 or more and not all 0; shards that are not named have none. */
export type Weights = Readonly<Record<string, number>>;

/** Nearer to a whole number than that, the rest is the error of adding up weights. */
const NEARLY_WHOLE = 1e-6;

interface Share {
  readonly shard: string;
  /** The exact share without its fraction. */
  readonly least: number;
  readonly fraction: number;
}

/**
 * The exact share of each shard, rounded up or down so that all slots are given away. Those that
 * have enough slots already are rounded up first, as each of them saves a move; then those with the
 * largest fraction.
 */
export function slotShares(
  weights: Weights,
  present: ReadonlyMap<string, number>,
): Map<string, number> {
  const shares = exactShares(weights);
  const hasMore = ({ shard, least }: Share) => Number((present.get(shard) ?? 0) > least);
  const ranked = shares
    .filter(({ fraction }) => fraction > 0)
    .sort((a, b) => hasMore(b) - hasMore(a) || b.fraction - a.fraction);
  const left = leftOver(shares);
  const up = new Set(ranked.slice(0, left));
  return new Map(shares.map((share) => [share.shard, share.least + (up.has(share) ? 1 : 0)]));
}

/**
 * The fewest slots that must change hands so that each shard has its exact share, rounded up or
 * down: no way of rounding, and none of choosing slots, needs fewer.
 *
 * A shard with `present` slots must give away `present − least` of them, or one less where it is
 * rounded up; rounding up saves a slot only where there is one more than the least. Slots that
 * nobody has are not taken from anyone.
 */
export function fewestSlotsMoved(weights: Weights, present: ReadonlyMap<string, number>): number {
  const shares = new Map(exactShares(weights).map((share) => [share.shard, share]));
  let given = 0;
  let savable = 0;
  for (const [shard, count] of present) {
    const { least, fraction } = shares.get(shard) ?? { least: 0, fraction: 0 };
    given += Math.max(0, count - least);
    if (fraction > 0 && count > least) savable += 1;
  }
  return given - Math.min(savable, leftOver([...shares.values()]));
}

function exactShares(weights: Weights): Share[] {
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  return Object.entries(weights).map(([shard, weight]) => {
    const exact = total > 0 ? (SLOT_COUNT * weight) / total : 0;
    const nearest = Math.round(exact);
    if (Math.abs(exact - nearest) < NEARLY_WHOLE) return { shard, least: nearest, fraction: 0 };
    return { shard, least: Math.floor(exact), fraction: exact - Math.floor(exact) };
  });
}

function leftOver(shares: readonly Share[]): number {
  return SLOT_COUNT - shares.reduce((sum, { least }) => sum + least, 0);
}
