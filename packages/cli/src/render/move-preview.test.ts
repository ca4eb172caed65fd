import { expect, test } from 'vitest';

import { plannedMove, view, viewOf } from '../testing/examples.ts';
import { showKeyName } from './key-name.ts';
import { renderMovePreview } from './move-preview.ts';

test('engines have a column once there are several', () => {
  const moves = [plannedMove(), plannedMove({ from: 's2', engine: 'redis-atomic' })];
  const text = renderMovePreview({ moves, nodeTimeoutMs: 5000 }, viewOf(140));
  expect(text.split('\n')[0]).toMatch(/DATA +ENGINE +LARGEST KEY/);
  expect(text).toMatch(/migrate +cart:4711/);
  expect(text).toMatch(/redis-atomic +cart:4711/);
  expect(text).not.toContain('engine;');
});

test('what was looked at as a whole is told without a tilde', () => {
  const text = renderMovePreview({ moves: [plannedMove()], nodeTimeoutMs: 5000 }, view);
  expect(text).not.toContain('~');
  expect(text.split('\n').slice(2)).toEqual([
    'In all 1365 slots, 83,333 keys, 12 MiB with the migrate engine; predicted to take 12 s.',
  ]);
});

test('one source takes turns between its targets, several sources share one', () => {
  const totalOf = (moves: readonly ReturnType<typeof plannedMove>[]) =>
    renderMovePreview({ moves, nodeTimeoutMs: 5000 }, viewOf(200)).match(/to take (.*)\./)?.[1];
  const drained = ['h1:6379', 'h2:6379', 'h3:6379'].map((target) =>
    plannedMove({ source: 'h4:6379', target }),
  );
  expect(totalOf(drained)).toBe('36 s');
  const apart = ['h1', 'h2'].map((host) =>
    plannedMove({ source: `${host}:6379`, target: `${host}:6380` }),
  );
  expect(totalOf(apart)).toBe('12 s');
});

test('a key is named where it is, and other pairs of its source have smaller ones', () => {
  const moves = [
    plannedMove({ largestKey: undefined }),
    plannedMove({ largestKey: undefined, keys: 0 }),
  ];
  const rows = renderMovePreview({ moves, nodeTimeoutMs: 5000 }, view).split('\n');
  expect(rows[1]).toContain('smaller ones');
  expect(rows[2]).not.toContain('smaller ones');
});

test('of hundreds of pairs the ones with most data are shown, the others counted', () => {
  const moves = Array.from({ length: 100 }, (_, index) =>
    plannedMove({ from: `s${index + 1}`, bytes: index }),
  );
  const lines = renderMovePreview({ moves, nodeTimeoutMs: 5000 }, view).split('\n');
  expect(lines[1]).toMatch(/^s77 /);
  expect(lines[24]).toMatch(/^s100 /);
  expect(lines[25]).toBe('and 76 smaller pairs');
  expect(lines[26]).toMatch(/^In all 136500 slots/);
});

test('a name of a key can do nothing to the terminal', () => {
  expect(showKeyName('a\u001B[2Jb\n\u202Ec')).toBe(String.raw`a\x1b[2Jb\n\xe2\x80\xaec`);
  expect(showKeyName('ключ:1')).toBe('ключ:1');
  const long = showKeyName(`user:${'x'.repeat(500)}:cart`);
  expect(long).toBe('user:xxxxxxx…xxxxxx:cart');
});
