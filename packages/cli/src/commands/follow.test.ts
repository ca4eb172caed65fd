import type { OperationState } from '@redrover/core';
import { expect, test } from 'vitest';

import { operationOf } from '../testing/examples.ts';
import { describeDetached, exitCodeOfEnds } from './follow.ts';

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

test('whoever stops watching hears what the operations do now, and how to go on', () => {
  const running = operationOf({ id: 'op-1' });
  const paused = operationOf({ id: 'op-2', state: 'paused' });
  expect(describeDetached([running])).toBe(
    'Detached; the operation goes on. Follow with: redrover op watch op-1',
  );
  expect(describeDetached([paused])).toBe(
    'Detached; the operation is paused. Go on with: redrover op resume op-2',
  );
  expect(describeDetached([running, paused]).split('\n')).toHaveLength(2);
});
