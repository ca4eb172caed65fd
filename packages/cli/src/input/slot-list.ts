/** Lists of slots as people write them: `0-99,200`. Which shard they go to is not said here. */
import { SLOT_COUNT, normalizeRanges } from '@redrover/core';
import type { SlotRange } from '@redrover/core';
import { InvalidArgumentError } from 'commander';

const EXPECTED = `expected slots from 0 to ${SLOT_COUNT - 1} and ranges of them, such as 0-99,200`;

/**
 * Commas and spaces separate, as `redrover cluster show` and `CLUSTER NODES` print them; what was
 * given before is added to. Errors: `InvalidArgumentError` that names the part which is wrong.
 */
export function parseSlotList(text: string, before: readonly SlotRange[] = []): SlotRange[] {
  const parts = text.split(/[\s,]+/).filter((part) => part !== '');
  if (parts.length === 0) throw new InvalidArgumentError(`it is empty; ${EXPECTED}.`);
  const ranges: SlotRange[] = [...before];
  for (const part of parts) {
    const range = parsePart(part);
    const twice = ranges.find(({ start, end }) => start <= range.end && range.start <= end);
    if (twice !== undefined) {
      const slot = Math.max(range.start, twice.start);
      throw new InvalidArgumentError(
        `slot ${slot} is named twice, in ${show(twice)} and in ${part}; name each slot once.`,
      );
    }
    ranges.push(range);
  }
  return normalizeRanges(ranges);
}

function parsePart(part: string): SlotRange {
  const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part);
  if (match === null) throw new InvalidArgumentError(`got "${part}"; ${EXPECTED}.`);
  const start = Number(match[1]);
  const end = Number(match[2] ?? match[1]);
  const beyond = [start, end].find((slot) => slot >= SLOT_COUNT);
  if (beyond !== undefined) {
    throw new InvalidArgumentError(`there is no slot ${beyond}; ${EXPECTED}.`);
  }
  if (start > end) {
    throw new InvalidArgumentError(
      `the range ${part} ends before it starts; write the lower slot first: ${end}-${start}.`,
    );
  }
  return { start, end };
}

function show({ start, end }: SlotRange): string {
  return start === end ? String(start) : `${start}-${end}`;
}
