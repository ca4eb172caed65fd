/**
 * What balancing by load aims at, how near to it a cluster is, and how many slots that costs.
 *
 * Loads are keys or bytes by slot. A slot cannot be split, so a balance is exact only to about one
 * slot; which slots are moved is in `balance-loads.ts`.
 */
import type { SlotOwners } from './slot-owners.ts';
import type { Weights } from './slot-shares.ts';

/** Load by slot; 0 or more. */
export type SlotLoads = readonly number[];

/**
 * A slot with more than this part of a shard's mean share is an exception, such as one hash tag
 * that many keys have. It does not excuse others: what remains is balanced to this part. It is the
 * threshold that `redis-cli --cluster rebalance` has by default.
 */
const ORDINARY_SHARE = 0.02;

/** How far each shard is above its share of the load; below 0 where it is under it. */
export function excessByShard(
  owners: SlotOwners,
  { weights, loads }: { readonly weights: Weights; readonly loads: SlotLoads },
): Map<string, number> {
  const total = loads.reduce((sum, load) => sum + load, 0);
  const weight = Object.values(weights).reduce((sum, each) => sum + each, 0);
  const excess = new Map(
    Object.entries(weights).map(([shard, own]) => [
      shard,
      weight > 0 ? (-total * own) / weight : 0,
    ]),
  );
  for (const [slot, owner] of owners.entries()) {
    if (owner !== undefined) excess.set(owner, (excess.get(owner) ?? 0) + (loads[slot] ?? 0));
  }
  return excess;
}

export function largestLoad(loads: SlotLoads): number {
  return loads.reduce((most, load) => Math.max(most, load), 0);
}

/** How far above or below its share a shard may be and still count as balanced. */
export function toleratedExcess(weights: Weights, loads: SlotLoads): number {
  const total = loads.reduce((sum, load) => sum + load, 0);
  const shards = Object.values(weights).filter((weight) => weight > 0).length;
  return Math.min(largestLoad(loads), (ORDINARY_SHARE * total) / Math.max(1, shards));
}

/**
 * Bounds on the slots that change hands to bring every shard within `tolerance` of its share.
 *
 * `least`: a shard with the excess E must give away slots that hold E − tolerance together, and its
 * heaviest slots are the fewest that do; nothing gets by with fewer. `most`: giving heaviest slots
 * first stops, at the latest, when they hold E together; that is what `balanceLoads` keeps to where
 * no slot is heavier than the tolerance and no shard is emptied.
 */
export function slotsMovedBounds(
  owners: SlotOwners,
  goal: { readonly weights: Weights; readonly loads: SlotLoads; readonly tolerance: number },
): { readonly least: number; readonly most: number } {
  let [least, most] = [0, 0];
  for (const [shard, excess] of excessByShard(owners, goal)) {
    const own = goal.loads.filter((_, slot) => owners[slot] === shard).sort((a, b) => b - a);
    least += countHeaviest(own, excess - goal.tolerance);
    most += countHeaviest(own, excess);
  }
  return { least, most };
}

/** How many of the loads, which fall, are needed for a sum of at least `wanted`. */
function countHeaviest(loads: readonly number[], wanted: number): number {
  let sum = 0;
  let count = 0;
  for (const load of loads) {
    if (sum >= wanted - ROUNDING) break;
    sum += load;
    count += 1;
  }
  return count;
}

/** Shares are fractions; keys and bytes are not. */
const ROUNDING = 1e-6;
