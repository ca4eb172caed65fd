/**
 * Who has each slot: a list by slot number, which is easier to change than ranges are.
 *
 * Which slots should go where is decided in the files beside this one.
 */
import { normalizeRanges, SLOT_COUNT, type SlotRange } from '../../model/slots.ts';

/** Slots by shard id. */
export type SlotsByShard = Readonly<Record<string, readonly SlotRange[]>>;

/** Shard id by slot; undefined where nobody has it. */
export type SlotOwners = (string | undefined)[];

/** Of a slot that several name, the first of them is its owner. */
export function ownersOf(slots: SlotsByShard): SlotOwners {
  const owners: SlotOwners = Array.from({ length: SLOT_COUNT }, () => undefined);
  for (const [shard, ranges] of Object.entries(slots)) {
    for (const { start, end } of ranges) {
      for (let slot = start; slot <= end; slot += 1) owners[slot] ??= shard;
    }
  }
  return owners;
}

/** Every shard that is named is there, also one without slots; those of others are left out. */
export function slotsByShard(
  owners: readonly (string | undefined)[],
  shards: readonly string[],
): Record<string, SlotRange[]> {
  const lists = new Map<string, SlotRange[]>(shards.map((shard) => [shard, []]));
  for (const run of runsOf(owners)) lists.get(run.owner ?? '')?.push(run.range);
  return Object.fromEntries([...lists].map(([shard, ranges]) => [shard, normalizeRanges(ranges)]));
}

/** How many slots each owner has; slots without one are not counted. */
export function countByOwner(owners: readonly (string | undefined)[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const owner of owners) {
    if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  return counts;
}

/** The longest stretches of slots with one owner, in the order of the slots. */
export function runsOf(
  owners: readonly (string | undefined)[],
): { readonly owner: string | undefined; readonly range: SlotRange }[] {
  const runs: { owner: string | undefined; range: SlotRange }[] = [];
  let start = 0;
  for (let slot = 1; slot <= owners.length; slot += 1) {
    if (slot < owners.length && owners[slot] === owners[start]) continue;
    runs.push({ owner: owners[start], range: { start, end: slot - 1 } });
    start = slot;
  }
  return runs;
}
