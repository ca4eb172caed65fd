import { expect, test } from 'vitest';

import { decideRestart, recentCrashes } from './crash-policy.ts';

test('a first crash is followed by a restart nearly at once, later ones by longer pauses', () => {
  const delays = [1, 2, 3, 4].map((count) => {
    const crashes = Array.from({ length: count }, (_, index) => 1_000 + index);
    return decideRestart(crashes, 1_010).delayMs;
  });
  expect(delays).toEqual([100, 400, 1_600, 6_400]);
});

test('the fifth crash within a minute is a crash loop, retried once a minute', () => {
  expect(decideRestart([0, 1, 2, 3, 4], 5)).toEqual({ delayMs: 60_000, crashLoop: true });
  expect(decideRestart([0, 1, 2, 3, 59_999], 60_004).crashLoop).toBe(false);
});

test('crashes count for a minute, and none of the future when the clock is set back', () => {
  expect(recentCrashes([0, 1_000, 61_000], 60_999)).toEqual([1_000]);
  expect(decideRestart([500_000], 1_000)).toEqual({ delayMs: 100, crashLoop: false });
});
