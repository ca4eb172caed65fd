import { expect, test } from 'vitest';

import { reconnectDelayMs } from './reconnect-delay.ts';

test('doubles from 0.2 s to 10 s, of which up to a half is random', () => {
  const longest = [1, 2, 3, 6, 7, 100].map((failures) => reconnectDelayMs(failures, 0));
  expect(longest).toEqual([200, 400, 800, 6_400, 10_000, 10_000]);
  expect(reconnectDelayMs(100, 1)).toBe(5_000);
});
