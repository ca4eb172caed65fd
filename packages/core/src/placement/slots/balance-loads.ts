/**
 * New owners for slots, so that each shard has its share of the keys or the memory.
 *
 * Heaviest slots go first, as they make the fewest moves: each from the shard that is furthest
 * above its share to the one furthest below it, as long as one of them is further off than the
 * tolerance. Both get nearer to their share with each move, so it ends; while no slot is heavier
 * than the tolerance there always is one that can go, so it ends with all shards within it.
 */
import { SLOT_COUNT, type SlotRange } from '../../model/slots.ts';
import { excessByShard, largestLoad, toleratedExcess, type SlotLoads } from './load-shares.ts';
import { ownersOf, slotsByShard, type SlotOwners, type SlotsByShard } from './slot-owners.ts';
import type { Weights } from './slot-shares.ts';

export interface LoadBalance {
  /** Where slots are; shards without a weight, or with 0, give all of theirs away. */
  readonly present: SlotsByShard;
  readonly weights: Weights;
  readonly loads: SlotLoads;
}

/**
 * Slots by shard, for every shard with a weight. Each is as near to its share as one largest slot,
 * and where slots allow it as the tolerance.
 */
export function balanceLoads({
  present,
  weights,
  loads,
}: LoadBalance): Record<string, SlotRange[]> {
  const owners = ownersOf(present);
  const goal = { weights, loads };
  emptyOut(owners, goal);
  shift(owners, goal, largestLoad(loads));
  shift(owners, goal, toleratedExcess(weights, loads));
  return slotsByShard(owners, Object.keys(weights));
}

type Goal = Pick<LoadBalance, 'weights' | 'loads'>;

/** Slots that nobody may keep go, the heaviest first, to whoever lacks most. */
function emptyOut(owners: SlotOwners, goal: Goal): void {
  const { weights, loads } = goal;
  const staying = Object.keys(weights).filter((shard) => (weights[shard] ?? 0) > 0);
  const excess = excessByShard(owners, goal);
  const counts = new Map(staying.map((shard) => [shard, 0]));
  for (const owner of owners) {
    const count = counts.get(owner ?? '');
    if (owner !== undefined && count !== undefined) counts.set(owner, count + 1);
  }
  const leaving = bySize(owners, loads, (owner) => !counts.has(owner ?? ''));
  for (const slot of leaving) {
    const load = loads[slot] ?? 0;
    // Empty slots weigh nothing; they are shared out by number.
    const rank = load > 0 ? excess : counts;
    const taker = staying.reduce((a, b) => ((rank.get(b) ?? 0) < (rank.get(a) ?? 0) ? b : a));
    owners[slot] = taker;
    excess.set(taker, (excess.get(taker) ?? 0) + load);
    counts.set(taker, (counts.get(taker) ?? 0) + 1);
  }
}

interface Giver {
  readonly shard: string;
  /** Its slots, the heaviest first. */
  readonly slots: readonly number[];
  /** Those before are gone, or too heavy: what may go only gets less. */
  next: number;
}

/** No shard both gives and takes, so no slot is moved twice. */
function shift(owners: SlotOwners, goal: Goal, tolerance: number): void {
  const { loads } = goal;
  const excess = excessByShard(owners, goal);
  const above = (shard: string) => excess.get(shard) ?? 0;
  const takers = [...excess.keys()].filter((shard) => above(shard) < 0);
  const givers: Giver[] = [...excess.keys()]
    .filter((shard) => above(shard) > 0)
    .map((shard) => ({ shard, slots: bySize(owners, loads, (owner) => owner === shard), next: 0 }));
  for (let moves = 0; moves < SLOT_COUNT && givers.length > 0 && takers.length > 0;) {
    const giver = givers.reduce((a, b) => (above(b.shard) > above(a.shard) ? b : a));
    const taker = takers.reduce((a, b) => (above(b) < above(a) ? b : a));
    const [surplus, lack] = [above(giver.shard), -above(taker)];
    if (surplus <= 0 || lack <= 0 || Math.max(surplus, lack) <= tolerance) return;
    const slot = takeHeaviest(giver, loads, Math.min(surplus, lack) + tolerance);
    if (slot === undefined) {
      givers.splice(givers.indexOf(giver), 1);
      continue;
    }
    const load = loads[slot] ?? 0;
    owners[slot] = taker;
    excess.set(giver.shard, surplus - load);
    excess.set(taker, load - lack);
    moves += 1;
  }
}

/** Undefined when only slots that are heavier, or empty, are left. */
function takeHeaviest(giver: Giver, loads: SlotLoads, limit: number): number | undefined {
  while ((loads[giver.slots[giver.next] ?? -1] ?? 0) > limit) giver.next += 1;
  const slot = giver.slots[giver.next];
  if (slot === undefined || (loads[slot] ?? 0) === 0) return undefined;
  giver.next += 1;
  return slot;
}

/** The heaviest first; of equal ones those that are neighbours together. */
function bySize(
  owners: SlotOwners,
  loads: SlotLoads,
  chosen: (owner: string | undefined) => boolean,
): number[] {
  return [...owners.keys()]
    .filter((slot) => chosen(owners[slot]))
    .sort((a, b) => (loads[b] ?? 0) - (loads[a] ?? 0) || a - b);
}
