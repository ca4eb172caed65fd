import type { SlotSurvey } from '@redrover/core';
import { expect, test } from 'vitest';

import { tellEstimated } from './reshard-planner.ts';

const survey: SlotSurvey = {
  node: 'h1:6379',
  slots: [
    { slot: 0, keys: 4_000, bytes: 1 },
    { slot: 1, keys: 5_000, bytes: 1 },
  ],
  keysSampled: 1_024,
  largestKey: undefined,
  complete: true,
  functionLibraries: [],
};

test('shares of sizes that were only sampled are told as such', () => {
  expect(tellEstimated('shop', [survey])).toEqual([]);
  expect(
    tellEstimated('shop', [survey, { ...survey, node: 'h2:6379', complete: false }]),
  ).toMatchObject([
    { rule: 'loads-estimated', severity: 'info', evidence: ['h2:6379: 1,024 of 9,000 keys'] },
  ]);
});
