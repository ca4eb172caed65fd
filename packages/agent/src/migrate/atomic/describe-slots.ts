/** Slots as a message names them. */
import { formatRanges, rangesOf } from '@redrover/core';

/** A message is a line: of many ranges the first few are named. */
const NAMED_RANGES = 5;

export function describeSlots(slots: readonly number[]): string {
  const ranges = rangesOf(slots);
  const named = formatRanges(ranges.slice(0, NAMED_RANGES));
  const more = ranges.length > NAMED_RANGES ? ', ...' : '';
  return `${slots.length === 1 ? 'slot' : `${slots.length} slots:`} ${named}${more}`;
}
