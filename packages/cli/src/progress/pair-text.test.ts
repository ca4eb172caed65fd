import { describe, expect, test } from 'vitest';

import { createStyle } from '../output/style.ts';
import { moveProgress, style } from '../testing/examples.ts';
import { fractionDone, pairLine, pairLines, timeLeftMs } from './pair-text.ts';

const first = { now: moveProgress(), longestBlockedMs: 4.2 };
const second = {
  now: moveProgress({
    source: 'host-2:16379',
    slotsDone: 1365,
    keysDone: 83_333,
    bytesDone: 12_582_912,
    quarantinedSlots: 1,
    state: '',
  }),
  longestBlockedMs: 0,
};

describe('on a terminal', () => {
  test('a wide one has a line for each pair, aligned', () => {
    const lines = pairLines({ pairs: [first, second], width: 220, height: 20, style });
    expect(lines).toEqual([
      'h1:6379 → h4:6379       [████████░░░░░░░░]   50 %  3.5 s left  683/1365 slots   ' +
        '41,000/83,333 keys  12,000 keys/s  blocked 4.2 ms at most  6.1 MiB of 12 MiB  ' +
        '1.8 MiB/s  moving',
      'host-2:16379 → h4:6379  [████████████████]  100 %              1365/1365 slots  ' +
        '83,333/83,333 keys  12,000 keys/s  blocked 0 ms at most    12 MiB of 12 MiB   ' +
        '1.8 MiB/s  1 slot left for a person',
    ]);
  });

  test('a narrow one has two, the second as long as there is room', () => {
    const lines = pairLines({ pairs: [first, second], width: 79, height: 20, style });
    expect(lines).toEqual([
      'h1:6379 → h4:6379       [████████░░░░░░░░]   50 %  3.5 s left  moving',
      '    683/1365 slots, 41,000/83,333 keys, 12,000 keys/s, blocked 4.2 ms at most',
      'host-2:16379 → h4:6379  [████████████████]  100 %              1 slot left for a person',
      '    1365/1365 slots, 83,333/83,333 keys, 12,000 keys/s, blocked 0 ms at most',
    ]);
  });

  test.each([40, 60, 79, 99, 120, 159, 200])('of %d columns none is exceeded', (width) => {
    const lines = pairLines({ pairs: [first], width, height: 20, style });
    expect(lines[0]).toContain('h1:6379 → h4:6379');
    // The first line is cut by the display if need be, as its end says least.
    for (const line of lines.slice(1)) expect(line.length).toBeLessThanOrEqual(width);
  });

  test('colours take no room', () => {
    const coloured = createStyle({ isTerminal: true, noColor: false, env: {} });
    const input = { pairs: [first, second], width: 160, height: 20 };
    const count = (of: typeof style): number => pairLines({ ...input, style: of }).length;
    expect(count(coloured)).toBe(count(style));
  });

  test('pairs for which there is no room are counted', () => {
    const pairs = Array.from({ length: 10 }, () => first);
    const wide = pairLines({ pairs, width: 190, height: 5, style });
    expect(wide).toHaveLength(5);
    expect(wide.at(-1)).toBe('    and 6 more pairs');
    const narrow = pairLines({ pairs, width: 79, height: 5, style });
    expect(narrow).toHaveLength(5);
    expect(narrow.at(-1)).toBe('    and 8 more pairs');
    expect(pairLines({ pairs, width: 79, height: 1, style })).toHaveLength(3);
  });

  test('no pair is no line', () => {
    expect(pairLines({ pairs: [], width: 79, height: 5, style })).toEqual([]);
  });
});

test('in a pipe all of it is on one line', () => {
  expect(pairLine(second)).toBe(
    'host-2:16379 → h4:6379: 100 %, 1365/1365 slots, 83,333/83,333 keys, 12,000 keys/s, ' +
      'blocked 0 ms at most, 12 MiB of 12 MiB, 1.8 MiB/s, 1 slot left for a person',
  );
});

describe('how far it is', () => {
  test('is told by what is furthest, as engines do not all count the same', () => {
    const counted = { slotsDone: 0, keysDone: 0, bytesDone: 0 };
    expect(fractionDone(moveProgress({ ...counted, slotsDone: 273 }))).toBeCloseTo(0.2);
    expect(fractionDone(moveProgress({ ...counted, bytesDone: 6_291_456 }))).toBeCloseTo(0.5);
  });

  test('is whole with the last slot only, whatever was written meanwhile', () => {
    expect(fractionDone(moveProgress({ keysDone: 99_999 }))).toBe(0.99);
    expect(fractionDone(moveProgress({ slotsDone: 1365 }))).toBe(1);
    expect(
      fractionDone(moveProgress({ slotsDone: 0, slotsTotal: 0, keysTotal: 0, bytesTotal: 0 })),
    ).toBe(0);
  });

  test('and how long it takes at the rate of now, if there is one', () => {
    expect(timeLeftMs(moveProgress({ bytesPerS: 0 }))).toBeCloseTo(3_527.75);
    expect(timeLeftMs(moveProgress({ bytesPerS: 0, keysPerS: 0 }))).toBeUndefined();
    expect(timeLeftMs(moveProgress({ slotsDone: 1365 }))).toBeUndefined();
  });
});
