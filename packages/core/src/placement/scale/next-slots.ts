/**
 * Slots of the shards of a cluster that changes its size: new ones get an equal share, leaving ones
 * give theirs away, and what was even stays even.
 */
import { countSlots } from '../../model/slots.ts';
import type { Layout, LayoutShard } from '../../model/layout.ts';
import { balanceSlots } from '../slots/balance-slots.ts';
import { ownersOf, slotsByShard, type SlotsByShard } from '../slots/slot-owners.ts';
import type { Weights } from '../slots/slot-shares.ts';

/** In the order of `shards`; a shard that the layout does not have is new. */
export function nextSlots(
  current: Layout,
  shards: readonly string[],
  ownedSlots: SlotsByShard,
): LayoutShard[] {
  const slots = balanceSlots({
    present: whereSlotsAre(current, ownedSlots),
    weights: scaledWeights(current, shards),
    wanted: Object.fromEntries(current.shards.map(({ id, slots: ranges }) => [id, ranges])),
  });
  return shards.map((id) => ({ id, slots: slots[id] ?? [] }));
}

/** As seen, and for slots of which nothing was seen as in the layout. */
export function whereSlotsAre(current: Layout, ownedSlots: SlotsByShard): SlotsByShard {
  const seen = ownersOf(ownedSlots);
  const laidOut = ownersOf(Object.fromEntries(current.shards.map(({ id, slots }) => [id, slots])));
  const ids = [...new Set([...current.shards.map(({ id }) => id), ...Object.keys(ownedSlots)])];
  return slotsByShard(
    laidOut.map((owner, slot) => seen[slot] ?? owner),
    ids,
  );
}

/**
 * Equal where all shares were. Else somebody wanted them unequal: the shards that stay keep their
 * proportions, and a new one gets as much as it would of equal shares.
 */
export function scaledWeights(current: Layout, shards: readonly string[]): Weights {
  const counts = new Map(current.shards.map(({ id, slots }) => [id, countSlots(slots)]));
  const staying = shards.flatMap((id) => counts.get(id) ?? []);
  const total = staying.reduce((sum, count) => sum + count, 0);
  const even = Math.max(...counts.values()) - Math.min(...counts.values()) <= 1;
  if (even || total === 0) return Object.fromEntries(shards.map((id) => [id, 1]));
  return Object.fromEntries(
    shards.map((id) => {
      const count = counts.get(id);
      return [id, count === undefined ? 1 : (count * staying.length) / total];
    }),
  );
}
