import { expect, test } from 'vitest';

import { formatAge, formatBytes, formatCount, formatDuration } from './units.ts';

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1 KiB'],
  [1536, '1.5 KiB'],
  [812 * 1024, '812 KiB'],
  [25_269_993_472, '23.5 GiB'],
])('%d bytes read %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [40, '0 s'],
  [400, '0.4 s'],
  [9_960, '10 s'],
  [12_000, '12 s'],
  [60_000, '1 min'],
  [185_000, '3 min 5 s'],
  [7_800_000, '2 h 10 min'],
  [273_600_000, '3 d 4 h'],
])('%d ms read %s', (durationMs, text) => {
  expect(formatDuration(durationMs)).toBe(text);
});

test('an age that is not known is empty, and a fresh one is now', () => {
  expect(formatAge(undefined, 5_000)).toBe('');
  expect(formatAge(4_900, 5_000)).toBe('now');
  expect(formatAge(1_000, 61_000)).toBe('1 min ago');
});

test('one of a thing is no plural', () => {
  expect([formatCount(1, 'node'), formatCount(2, 'node'), formatCount(0, 'replica')]).toEqual([
    '1 node',
    '2 nodes',
    '0 replicas',
  ]);
});
