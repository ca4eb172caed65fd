import type { OperationState } from '@redrover/core';
import { expect, test } from 'vitest';

import { exitCodeOfEnds } from './follow.ts';

test.each<[readonly OperationState[], number]>([
  [['done', 'done'], 0],
  [['needs-decision'], 2],
  [['done', 'needs-decision'], 2],
  [['failed', 'needs-decision'], 1],
  [['done', 'failed'], 1],
  [['cancelled'], 1],
])('operations that end as %j exit with %d', (states, exitCode) => {
  expect(exitCodeOfEnds(states)).toBe(exitCode);
});

test('whoever cancels gets what was asked for', () => {
  expect(exitCodeOfEnds(['cancelled'], 'cancelled')).toBe(0);
  expect(exitCodeOfEnds(['failed'], 'cancelled')).toBe(1);
});
