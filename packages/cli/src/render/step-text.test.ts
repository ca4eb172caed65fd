import { expect, test } from 'vitest';

import { describeRound, describeStepKey } from './step-text.ts';

test.each([
  ['buildRelease h1 redis-7.0.15', 'build redis-7.0.15 on h1'],
  ['prepareNode h1:6379', 'prepare h1:6379'],
  ['setTiming h1:6379 500', 'set the node timeout of h1:6379'],
  ['somethingNew h1', 'somethingNew h1'],
])('%s reads %s', (key, text) => {
  expect(describeStepKey(key)).toBe(text);
});

test('steps of a kind are told together', () => {
  const keys = ['startNode h1:1', 'startNode h2:1', 'probeMesh h1', 'somethingNew h1'];
  expect(describeRound(keys)).toEqual([
    'start 2 nodes',
    'probe data and bus ports from h1',
    'somethingNew h1',
  ]);
});
