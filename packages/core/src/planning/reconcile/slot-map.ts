/**
 * Who owns which slot, by the word of all settled views together: agreed by all, disputed, or
 * nobody's. What follows from it for shards is in `shard-owners.ts`.
 */
import { normalizeRanges, SLOT_COUNT, type SlotRange } from '../../model/slots.ts';
import type { DistinctView } from '../situation.ts';

export interface SlotMap {
  /** For each slot an index into `owners`, `NOBODY` or `DISPUTED`. */
  readonly bySlot: Int32Array;
  /** Redis node ids. */
  readonly owners: readonly string[];
  /** By node id: what all views say that it owns. */
  readonly agreed: ReadonlyMap<string, readonly SlotRange[]>;
  /** By node id: what any view says that it owns. */
  readonly claimed: ReadonlyMap<string, readonly SlotRange[]>;
  readonly disputed: readonly SlotRange[];
  readonly unowned: readonly SlotRange[];
}

export const NOBODY = -1;
export const DISPUTED = -2;
const UNSEEN = -3;

/**
 * A node's own word on a slot that it imports is left out where there is another: it is frozen, and
 * goes on naming the source even after another node has taken that one's place.
 */
export function readSlotMap(views: readonly DistinctView[]): SlotMap {
  const owners: string[] = [];
  const indexes = new Map<string, number>();
  const indexOf = (id: string): number => {
    const known = indexes.get(id);
    if (known !== undefined) return known;
    indexes.set(id, owners.length);
    return owners.push(id) - 1;
  };
  const bySlot = new Int32Array(SLOT_COUNT).fill(UNSEEN);
  const frozen = new Map<number, number>();
  const claims = new Map<string, SlotRange[]>();
  for (const view of views) {
    const opinion = readView(view, indexOf, claims);
    for (const slot of importedSlots(view)) {
      const word = opinion[slot] ?? NOBODY;
      frozen.set(slot, (frozen.get(slot) ?? word) === word ? word : DISPUTED);
      opinion[slot] = UNSEEN;
    }
    for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
      const word = opinion[slot] ?? NOBODY;
      if (word === UNSEEN || word === bySlot[slot]) continue;
      bySlot[slot] = bySlot[slot] === UNSEEN ? word : DISPUTED;
    }
  }
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (bySlot[slot] === UNSEEN) bySlot[slot] = frozen.get(slot) ?? NOBODY;
  }
  const groups = groupSlots(bySlot);
  return {
    bySlot,
    owners,
    agreed: new Map(owners.map((id, index) => [id, groups.get(index) ?? []])),
    claimed: new Map([...claims].map(([id, slots]) => [id, normalizeRanges(slots)])),
    disputed: groups.get(DISPUTED) ?? [],
    unowned: groups.get(NOBODY) ?? [],
  };
}

/** The owner that all views agree on; undefined if they do not, or if there is none. */
export function agreedOwner({ bySlot, owners }: SlotMap, slot: number): string | undefined {
  return owners[bySlot[slot] ?? NOBODY];
}

/** The slots of equal value, by value, as ranges. */
export function groupSlots(bySlot: Int32Array): Map<number, SlotRange[]> {
  const groups = new Map<number, SlotRange[]>();
  let start = 0;
  for (let slot = 1; slot <= bySlot.length; slot += 1) {
    const value = bySlot[start] ?? NOBODY;
    if (slot < bySlot.length && bySlot[slot] === value) continue;
    const range = { start, end: slot - 1 };
    const ranges = groups.get(value);
    if (ranges === undefined) groups.set(value, [range]);
    else ranges.push(range);
    start = slot;
  }
  return groups;
}

function readView(
  view: DistinctView,
  indexOf: (id: string) => number,
  claims: Map<string, SlotRange[]>,
): Int32Array {
  const opinion = new Int32Array(SLOT_COUNT).fill(NOBODY);
  for (const { nodeId, slots } of view.nodes.values()) {
    if (slots.length === 0) continue;
    const index = indexOf(nodeId);
    for (const { start, end } of slots) opinion.fill(index, start, end + 1);
    const known = claims.get(nodeId);
    if (known === undefined) claims.set(nodeId, [...slots]);
    else known.push(...slots);
  }
  return opinion;
}

function importedSlots({ nodes }: DistinctView): ReadonlySet<number> {
  const slots = new Set<number>();
  for (const { importing } of nodes.values()) for (const { slot } of importing) slots.add(slot);
  return slots;
}
