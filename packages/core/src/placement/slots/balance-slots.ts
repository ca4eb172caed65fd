/**
 * New owners for slots, so that each shard has its share and the fewest of them change hands.
 *
 * How large the shares are is in `slot-shares.ts`; balancing by keys or memory in
 * `balance-loads.ts`.
 */
import type { SlotRange } from '../../model/slots.ts';
import {
  countByOwner,
  ownersOf,
  runsOf,
  slotsByShard,
  type SlotOwners,
  type SlotsByShard,
} from './slot-owners.ts';
import { slotShares, type Weights } from './slot-shares.ts';

export interface SlotBalance {
  /** Where slots are; shards without a weight give all of theirs away. */
  readonly present: SlotsByShard;
  readonly weights: Weights;
  /** Where slots were on their way to: these go on, as far as their new owner takes slots at all. */
  readonly wanted: SlotsByShard;
}

/**
 * Slots by shard, for every shard with a weight. Only shards with more than their share give, each
 * just what it has too much, and only shards with less take, in as few ranges as that needs.
 */
export function balanceSlots({
  present,
  weights,
  wanted,
}: SlotBalance): Record<string, SlotRange[]> {
  const owners = ownersOf(present);
  const counts = countByOwner(owners);
  const shares = slotShares(weights, counts);
  const room = new Map([...shares].map(([id, share]) => [id, share - (counts.get(id) ?? 0)]));
  const surplus = new Map(
    [...counts].map(([id, count]) => [id, Math.max(0, count - (shares.get(id) ?? 0))]),
  );
  goOn(owners, { wanted: ownersOf(wanted), surplus, room });
  const takers = [...room].filter(([, count]) => count > 0).map(([id]) => id);
  const givers = [undefined, ...inOrderOfSlots(owners).filter((id) => (surplus.get(id) ?? 0) > 0)];
  for (const giver of givers) {
    for (const taker of takers) {
      const has = giver === undefined ? countUnowned(owners) : (surplus.get(giver) ?? 0);
      const count = Math.min(has, room.get(taker) ?? 0);
      if (count <= 0) continue;
      give(owners, { giver, taker, count });
      room.set(taker, (room.get(taker) ?? 0) - count);
      if (giver !== undefined) surplus.set(giver, has - count);
    }
  }
  return slotsByShard(owners, Object.keys(weights));
}

function goOn(
  owners: SlotOwners,
  options: {
    readonly wanted: SlotOwners;
    readonly surplus: Map<string, number>;
    readonly room: Map<string, number>;
  },
): void {
  const { wanted, surplus, room } = options;
  for (const [slot, owner] of owners.entries()) {
    const to = wanted[slot];
    if (owner === undefined || to === undefined || to === owner) continue;
    const [has, takes] = [surplus.get(owner) ?? 0, room.get(to) ?? 0];
    if (has <= 0 || takes <= 0) continue;
    owners[slot] = to;
    surplus.set(owner, has - 1);
    room.set(to, takes - 1);
  }
}

/**
 * As few runs as possible: the shortest that is long enough, else the longest ones whole. A run is
 * cut where it touches slots of the taker, if it does.
 */
function give(
  owners: SlotOwners,
  gift: { readonly giver: string | undefined; readonly taker: string; readonly count: number },
): void {
  const { giver, taker } = gift;
  for (let left = gift.count; left > 0;) {
    const runs = runsOf(owners).filter(({ owner }) => owner === giver);
    const sorted = runs.map(({ range }) => range).sort((a, b) => lengthOf(a) - lengthOf(b));
    const range = sorted.find((each) => lengthOf(each) >= left) ?? sorted.at(-1);
    if (range === undefined) return;
    const count = Math.min(left, lengthOf(range));
    const before = range.start > 0 && owners[range.start - 1] === taker;
    const start = before ? range.start : range.end - count + 1;
    owners.fill(taker, start, start + count);
    left -= count;
  }
}

function inOrderOfSlots(owners: SlotOwners): string[] {
  return [...new Set(owners.filter((owner) => owner !== undefined))];
}

function countUnowned(owners: SlotOwners): number {
  return owners.filter((owner) => owner === undefined).length;
}

function lengthOf({ start, end }: SlotRange): number {
  return end - start + 1;
}
