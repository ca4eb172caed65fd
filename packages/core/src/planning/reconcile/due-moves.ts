/**
 * Which slots are to go from which master to which: those whose owner belongs to another shard than
 * the layout says, and those that are half way between two masters.
 */
import { countSlots, normalizeRanges, SLOT_COUNT, type SlotRange } from '../../model/slots.ts';
import type { LiveNode } from '../situation.ts';
import type { Fleet, OwnedShard } from './fleet.ts';
import { isAgreed } from './fleet.ts';
import { listCircularSlots } from './open-chains.ts';
import { hasEnds, listOpenSlots, type OpenSlotMove } from './open-slots.ts';
import { listStrayedSlots } from './orphan-keys.ts';
import { listMisleading } from './misleading.ts';
import { groupSlots, NOBODY } from './slot-map.ts';

/** All that goes from one master to another. */
export interface DueMove {
  readonly source: LiveNode;
  readonly target: LiveNode;
  readonly slots: readonly SlotRange[];
  /** Those of them that are open already; they are finished before any other is begun. */
  readonly open: readonly SlotRange[];
  /** All were left to a person before: what keeps them from being opened anew fails nothing. */
  readonly isUndecided: boolean;
}

export interface DueMoves {
  readonly pairs: readonly DueMove[];
  /** Open slots of somebody else that are not to be touched yet. */
  readonly foreign: readonly OpenSlotMove[];
  /** Open slots of which it cannot be told where they go. */
  readonly unsettled: readonly OpenSlotMove[];
  /** Shards whose slots are elsewhere, and that have no master to move them to. */
  readonly targetless: readonly { readonly owned: OwnedShard; readonly count: number }[];
}

interface Pair {
  readonly due: Pick<DueMove, 'source' | 'target'>;
  readonly slots: SlotRange[];
  readonly open: SlotRange[];
}

export function listDueMoves(fleet: Fleet): DueMoves {
  const aside = toSlotSet(fleet.setAside);
  const moving = movingSlots(fleet);
  const everyOpen = listOpenSlots(fleet);
  const misleading = new Set(listMisleading(fleet, everyOpen));
  const open = everyOpen.filter(({ slot }) => !aside.has(slot) || misleading.has(slot));
  const circular = new Set(listCircularSlots(fleet).map(({ slot }) => slot));
  const unsettled = open.filter(
    (entry) => (!hasEnds(entry) || circular.has(entry.slot)) && !moving.has(entry.slot),
  );
  const plain = open.filter(hasEnds);
  const foreign = plain.filter(
    ({ slot, isOurs, isQuiet }) => !isOurs && !isQuiet && !moving.has(slot),
  );
  const untouchable = new Set([...foreign, ...unsettled].map(({ slot }) => slot));
  const pairs = new Map<string, Pair>();
  const pairOf = (source: LiveNode, target: LiveNode) => {
    const name = `${source.node.key} > ${target.node.key}`;
    const known = pairs.get(name) ?? {
      due: { source, target },
      slots: [],
      open: [],
    };
    pairs.set(name, known);
    return known;
  };
  for (const { slot, source, target } of plain) {
    if (source === undefined || target === undefined || untouchable.has(slot)) continue;
    pairOf(source, target).open.push({ start: slot, end: slot });
  }
  const openSlots = new Set(open.map(({ slot }) => slot));
  const strayed = new Set(listStrayedSlots(fleet));
  const { wanted, targetless } = listMisplaced(
    fleet,
    (slot) => aside.has(slot) || openSlots.has(slot) || strayed.has(slot),
  );
  for (const { source, target, slots } of wanted) pairOf(source, target).slots.push(...slots);
  return {
    pairs: [...pairs.values()].map(({ due, slots, open: half }) => ({
      ...due,
      slots: normalizeRanges([...slots, ...half]),
      open: normalizeRanges(half),
      isUndecided: slots.length === 0 && half.every(({ start }) => misleading.has(start)),
    })),
    foreign,
    unsettled,
    targetless,
  };
}

function listMisplaced(fleet: Fleet, isLeftOut: (slot: number) => boolean) {
  const { shards, slotMap } = fleet;
  const layoutOf = new Int32Array(SLOT_COUNT).fill(NOBODY);
  shards.forEach(({ shard }, index) => {
    for (const { start, end } of shard.slots) layoutOf.fill(index, start, end + 1);
  });
  // Of each slot: which owner, and which shard; equal numbers go the same way.
  const owners = slotMap.owners.map((id) => fleet.liveById.get(id));
  const homes = owners.map((owner) => shards.findIndex((owned) => owned.owner === owner));
  const ways = new Int32Array(SLOT_COUNT).fill(NOBODY);
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    const owner = slotMap.bySlot[slot] ?? NOBODY;
    const shard = layoutOf[slot] ?? NOBODY;
    if (owner < 0 || shard < 0 || homes[owner] === shard || isLeftOut(slot)) continue;
    if (owners[owner]?.redis.role !== 'master') continue;
    ways[slot] = owner * shards.length + shard;
  }
  const wanted: { source: LiveNode; target: LiveNode; slots: SlotRange[] }[] = [];
  const targetless: { owned: OwnedShard; count: number }[] = [];
  for (const [way, slots] of groupSlots(ways)) {
    const source = owners[Math.floor(way / shards.length)];
    const owned = shards[way % shards.length];
    if (way < 0 || source === undefined || owned === undefined) continue;
    if (owned.owner === undefined || !isAgreed(owned)) {
      targetless.push({ owned, count: countSlots(slots) });
    } else wanted.push({ source, target: owned.owner, slots });
  }
  return { wanted, targetless };
}

function movingSlots({ moves }: Fleet): ReadonlySet<number> {
  return toSlotSet(moves.flatMap(({ slots }) => slots));
}

export function toSlotSet(ranges: readonly SlotRange[]): ReadonlySet<number> {
  const slots = new Set<number>();
  for (const { start, end } of ranges)
    for (let slot = start; slot <= end; slot += 1) slots.add(slot);
  return slots;
}
