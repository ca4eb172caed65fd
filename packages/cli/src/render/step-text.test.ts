import { expect, test } from 'vitest';

import { handoff, layoutOf, start } from '../testing/examples.ts';
import { describeStepKey, describeSteps } from './step-text.ts';

test.each([
  ['buildRelease h1 redis-7.0.15', 'build redis-7.0.15 on h1'],
  ['prepareNode h1:6379', 'prepare h1:6379'],
  ['setTiming h1:6379 500', 'set the node timeout of h1:6379'],
  ['somethingNew h1', 'somethingNew h1'],
])('%s reads %s', (key, text) => {
  expect(describeStepKey(key)).toBe(text);
});

const layout = layoutOf(['h1:6379 s1 master', 'h2:6379 s1 replica', 'h3:6379 s1 replica']);

test('steps of a kind are told together, and named while they are few', () => {
  const few = [start('h1:6379'), start('h2:6379')];
  expect(describeSteps(few, layout)).toEqual(['start 2 nodes (h1:6379, h2:6379)']);
  const many = [1, 2, 3, 4, 5].map((number) => start(`h${number}:6379`));
  expect(describeSteps(many, layout)).toEqual(['start 5 nodes']);
  expect(describeSteps([start('h1:6379')], layout)).toEqual(['start h1:6379']);
});

test('each handoff names the shard, who takes over and from whom', () => {
  const steps = [handoff('h2:6379', 'h1:6379'), start('h3:6379')];
  expect(describeSteps(steps, layout)).toEqual([
    'make h2:6379 the master of s1 in place of h1:6379',
    'start h3:6379',
  ]);
});

test.each([
  [false, 'move the directory of h1:6379 to the trash folder'],
  [true, 'delete the directory of h1:6379'],
])('what becomes of the data is said: purge %s', (purge, text) => {
  const step = { kind: 'removeNode', host: 'h1', node: 'h1:6379', purge } as const;
  expect(describeSteps([step], layout)).toEqual([text]);
});

test.each([
  [false, 'move the directories of 2 nodes to the trash folder (h1:6379, h1:6380)'],
  [true, 'delete the directories of 2 nodes (h1:6379, h1:6380)'],
])('and of several alike: purge %s', (purge, text) => {
  const steps = ['h1:6379', 'h1:6380'].map((node) => {
    return { kind: 'removeNode', host: 'h1', node, purge } as const;
  });
  expect(describeSteps(steps, layout)).toEqual([text]);
});

test('forgetting tells how many, attaching to whom', () => {
  const [host, node] = ['h1', 'h1:6379'];
  const forget = { kind: 'forgetNodes', host, node, nodeIds: ['a'.repeat(40)] } as const;
  const attach = { kind: 'attachReplica', host, node, master: 'h2:6379' } as const;
  expect(describeSteps([forget, { ...attach, masterNodeId: 'b'.repeat(40) }], layout)).toEqual([
    'make h1:6379 forget 1 node that is gone',
    'attach replica h1:6379 to h2:6379',
  ]);
});
