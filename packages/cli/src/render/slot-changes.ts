/** Which shard serves which slots, now and once a plan is carried out. */
import { countSlots, formatRanges, normalizeRanges } from '@redrover/core';
import type { Layout, PlannedMove, SlotRange } from '@redrover/core';

import type { View } from '../output/output.ts';
import { formatCount } from '../output/units.ts';
import type { ClusterDetails } from './cluster-view.ts';
import { compareText } from './plan-view.ts';

export interface SlotHolding {
  /** `0-5460` */
  readonly slots: readonly string[];
  readonly count: number;
}

export interface SlotChange {
  /** Of slots that no node of the layout in force serves: the node that does, with its former shard or by address. */
  readonly shard: string;
  /** As the nodes say; null: there is no such shard yet. */
  readonly now: SlotHolding | null;
  /** Null: the shard goes. */
  readonly next: SlotHolding | null;
}

export interface SlotChangeInput {
  readonly now: Pick<ClusterDetails, 'nodes' | 'slotsElsewhere'>;
  readonly next: Layout;
  /** Pairs that the plan moves slots between: they know a node of an earlier layout by name. */
  readonly moves?: readonly PlannedMove[];
}

/** Of every shard that there is or will be, also of those that keep what they have. */
export function compareSlots({ now, next, moves = [] }: SlotChangeInput): SlotChange[] {
  const before = new Map<string, string[]>();
  for (const { shard, slots } of now.nodes) {
    before.set(shard, [...(before.get(shard) ?? []), ...slots]);
  }
  const known = new Set(now.nodes.map(({ key }) => key));
  for (const { node, slots } of now.slotsElsewhere) {
    const held = slots.map(readRange);
    const move = moves.find((each) => !known.has(each.source) && overlaps(each.slots, held));
    before.set(move === undefined ? node : `${move.from} ${move.source}`, [...slots]);
  }
  const after = new Map(next.shards.map(({ id, slots }) => [id, slots]));
  const shards = [...new Set([...before.keys(), ...after.keys()])].sort(compareText);
  return shards.map((shard) => {
    const slots = after.get(shard);
    return {
      shard,
      now: before.has(shard) ? toHolding((before.get(shard) ?? []).map(readRange)) : null,
      next: slots === undefined ? null : toHolding(slots),
    };
  });
}

function toHolding(ranges: readonly SlotRange[]): SlotHolding {
  const slots = formatRanges(ranges).split(' ').filter(Boolean);
  return { slots, count: countSlots(normalizeRanges(ranges)) };
}

function overlaps(some: readonly SlotRange[], others: readonly SlotRange[]): boolean {
  return some.some((one) => others.some(({ start, end }) => start <= one.end && one.start <= end));
}

function readRange(text: string): SlotRange {
  const [start, end = start] = text.split('-').map(Number);
  return { start: start ?? 0, end: end ?? 0 };
}

/** Only shards that gain or lose slots; what happens to the others is a line. */
export function renderSlotChanges(changes: readonly SlotChange[], view: View): string {
  const changed = changes.filter((change) => !isKept(change));
  const rows = changed.map(({ shard, now, next }) => [
    shard,
    describeHolding(now, '(new shard)'),
    describeHolding(next, view.style.caution('(removed)')),
    describeDifference((next?.count ?? 0) - (now?.count ?? 0)),
  ]);
  const kept = changes.length - changed.length;
  const table = view.table(['SHARD', 'SLOTS NOW', 'SLOTS THEN', ''], rows);
  if (kept === 0) return table;
  return `${table}\n${formatCount(kept, 'other shard')} not affected.`;
}

export function isKept({ now, next }: SlotChange): boolean {
  return now?.slots.join() === next?.slots.join();
}

function describeHolding(holding: SlotHolding | null, none: string): string {
  if (holding === null) return none;
  return holding.count === 0 ? 'none' : `${shortenRanges(holding.slots)} (${holding.count})`;
}

function describeDifference(difference: number): string {
  if (difference === 0) return 'as many, others';
  return difference > 0 ? `+${difference}` : String(difference);
}

// A shard that was rebalanced a few times holds dozens of ranges; JSON has them all.
const MAX_RANGES = 4;

/** `0-99 200-299 and 12 more ranges` */
export function shortenRanges(ranges: readonly string[], max = MAX_RANGES): string {
  const more = ranges.length - max;
  if (more <= 1) return ranges.join(' ');
  return `${ranges.slice(0, max).join(' ')} and ${more} more ranges`;
}
