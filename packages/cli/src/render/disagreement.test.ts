import { clusterViewOf } from '@redrover/core';
import type { ClusterView, ViewNode } from '@redrover/core';
import { expect, test } from 'vitest';

import { describeDisagreement, majorityView } from './disagreement.ts';

function node(id: string, port: number, change: Partial<ViewNode> = {}): ViewNode {
  return {
    nodeId: id,
    address: '127.0.0.11',
    port,
    busPort: port + 10_000,
    flags: ['master'],
    masterId: '',
    configEpoch: 1,
    connected: true,
    slots: [{ start: 0, end: 100 }],
    migrating: [],
    importing: [],
    ...change,
  };
}

const agreed: ClusterView = { hash: 'a', nodes: [node('x', 1), node('y', 2, { slots: [] })] };

test('the view with the most holders is the majority', () => {
  const other = { hash: 'b', nodes: [] };
  expect(majorityView([other, agreed, agreed])).toBe(agreed);
  expect(majorityView([])).toBeUndefined();
});

test('a node that agrees has nothing to tell', () => {
  expect(describeDisagreement(agreed, agreed)).toEqual([]);
});

test('each difference is named with both sides', () => {
  const own: ClusterView = {
    hash: 'b',
    nodes: [node('x', 1, { slots: [], flags: ['master', 'fail'] }), node('z', 3)],
  };
  expect(describeDisagreement(own, agreed)).toEqual([
    'sees 127.0.0.11:1 with slots none, the others 0-100',
    'sees 127.0.0.11:1 with flags master,fail, the others master',
    'does not know 127.0.0.11:2',
    'knows 127.0.0.11:3, which the others do not',
  ]);
});

test('slots on their way are no matter of agreement: only their own node tells of them', () => {
  const settled = clusterViewOf([node('x', 1), node('y', 2, { slots: [] })]);
  const migrating = [{ slot: 7, nodeId: 'y' }];
  const source = clusterViewOf([node('x', 1, { migrating }), node('y', 2, { slots: [] })]);
  const odd = clusterViewOf([node('x', 1)]);
  expect(source.hash).not.toBe(settled.hash);
  expect(majorityView([odd, odd, source, settled, settled])).toBe(source);
  expect(describeDisagreement(source, settled)).toEqual([]);
});
