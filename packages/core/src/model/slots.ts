/**
 * Hash slots and sets of them, held as sorted, disjoint, inclusive ranges.
 *
 * Which slots go where is placement's and migration's business, not this file's.
 */

/** Number of hash slots of a Redis Cluster (Redis Cluster specification, "Key distribution model"). */
export const SLOT_COUNT = 16384;

/** Inclusive at both ends, as `CLUSTER NODES` and `CLUSTER ADDSLOTSRANGE` write them; 0 to 16383. */
export interface SlotRange {
  readonly start: number;
  readonly end: number;
}

/** How many slots the ranges hold. */
export function countSlots(ranges: readonly SlotRange[]): number {
  return ranges.reduce((sum, range) => sum + range.end - range.start + 1, 0);
}

/** Sorts and joins ranges that touch or overlap: the one canonical form of a set of slots. */
export function normalizeRanges(ranges: readonly SlotRange[]): SlotRange[] {
  // Most are, as views hold nothing else; slots that move make ranges many.
  if (isNormalized(ranges)) return [...ranges];
  const sorted = [...ranges].sort((a, b) => a.start - b.start);
  const joined: { start: number; end: number }[] = [];
  for (const range of sorted) {
    const last = joined.at(-1);
    if (last !== undefined && range.start <= last.end + 1) last.end = Math.max(last.end, range.end);
    else joined.push({ start: range.start, end: range.end });
  }
  return joined;
}

/** Each slot of the ranges once, in order. */
export function listSlots(ranges: readonly SlotRange[]): number[] {
  return normalizeRanges(ranges).flatMap(({ start, end }) =>
    Array.from({ length: end - start + 1 }, (_, index) => start + index),
  );
}

/** As few ranges as hold these slots, in order. */
export function rangesOf(slots: readonly number[]): SlotRange[] {
  return normalizeRanges(slots.map((slot) => ({ start: slot, end: slot })));
}

function isNormalized(ranges: readonly SlotRange[]): boolean {
  let end = -2;
  for (const range of ranges) {
    if (range.start <= end + 1) return false;
    end = range.end;
  }
  return true;
}

/** Whether both hold the same slots. */
export function sameSlots(a: readonly SlotRange[], b: readonly SlotRange[]): boolean {
  return formatRanges(a) === formatRanges(b);
}

/** `0-5460 5462`, as `CLUSTER NODES` prints them; the empty string for no slots. */
export function formatRanges(ranges: readonly SlotRange[]): string {
  return normalizeRanges(ranges)
    .map((range) => (range.start === range.end ? `${range.start}` : `${range.start}-${range.end}`))
    .join(' ');
}

/** Splits all slots into `parts` runs whose sizes differ by one at the most, as `redis-cli --cluster create` does. */
export function splitSlotsEvenly(parts: number): SlotRange[] {
  const ranges: SlotRange[] = [];
  let start = 0;
  for (let part = 0; part < parts; part += 1) {
    const end = Math.round((SLOT_COUNT * (part + 1)) / parts) - 1;
    ranges.push({ start, end });
    start = end + 1;
  }
  return ranges;
}
