import { describe, expect, test } from 'vitest';

import { layoutOf, nodesOf, nodeView, view } from '../testing/examples.ts';
import { compareNodes, renderNodeChanges } from './node-changes.ts';

const SIX = [
  'h1:6379 s1 master',
  'h2:6379 s2 master',
  'h3:6379 s3 master',
  'h1:6380 s2 replica',
  'h2:6380 s3 replica',
  'h3:6380 s1 replica',
];

const layout = layoutOf(SIX);
const nodes = nodesOf(layout);

function told(...input: Parameters<typeof compareNodes>): string[] {
  return renderNodeChanges(compareNodes(...input), view)
    .split('\n')
    .slice(1)
    .map((line) => line.replaceAll(/ {2,}/g, ' | '));
}

test('nodes that are as they shall be are not told', () => {
  expect(compareNodes({ nodes, next: layout })).toEqual([]);
});

test('roles that drifted are told with what they shall be', () => {
  const drifted = nodes.map((node) => {
    if (node.key === 'h1:6379') return { ...node, role: 'replica' as const };
    return node.key === 'h3:6380' ? { ...node, role: 'master' as const } : node;
  });
  expect(told({ nodes: drifted, next: layout })).toEqual([
    's1 | h1:6379 | replica | master',
    's1 | h3:6380 | master | replica',
  ]);
});

test('a node that does not run is told with its state', () => {
  const crashed = nodes.map((node) =>
    node.key === 'h3:6380' ? { ...node, state: 'crash-loop' } : node,
  );
  expect(told({ nodes: crashed, next: layout })).toEqual(['s1 | h3:6380 | crash-loop | replica']);
});

test('a drain stops the nodes of the host, and says who stands in for its masters', () => {
  const next = { ...layout, number: 3, drainedHosts: ['h2'] };
  expect(told({ nodes, next })).toEqual([
    's2 | h1:6380 | replica | master meanwhile',
    's2 | h2:6379 | master | stopped',
    's3 | h2:6380 | replica | stopped',
  ]);
});

test('an undrain brings them back in their roles', () => {
  const drained = nodes.map((node) => {
    if (node.host === 'h2') return { ...node, state: 'stopped' };
    return node.key === 'h1:6380' ? { ...node, role: 'master' as const } : node;
  });
  expect(told({ nodes: drained, next: layout })).toEqual([
    's2 | h1:6380 | master | replica',
    's2 | h2:6379 | stopped | master',
    's3 | h2:6380 | stopped | replica',
  ]);
});

describe('nodes that get another place', () => {
  test('each is told with its successor in the same shard', () => {
    const next = layoutOf(SIX.map((line) => line.replace('h2:', 'h4:')));
    expect(told({ nodes, next })).toEqual([
      's2 | h2:6379 | master | h4:6379, master',
      's3 | h2:6380 | replica | h4:6380, replica',
    ]);
  });

  test('one with the same role comes first', () => {
    const before = nodesOf(layoutOf(['h1:1 s1 master', 'h2:1 s1 replica']));
    const next = layoutOf(['h3:1 s1 replica', 'h4:1 s1 master']);
    const moved = compareNodes({ nodes: before, next });
    expect(moved.map(({ from, to }) => [from?.key, to?.key])).toEqual([
      ['h1:1', 'h4:1'],
      ['h2:1', 'h3:1'],
    ]);
  });

  test('a node without a successor goes, one without a predecessor is new', () => {
    const one = layoutOf(['h1:1 s1 master']);
    const two = layoutOf(['h1:1 s1 master', 'h2:1 s1 replica']);
    expect(told({ nodes: nodesOf(two), next: one })).toEqual(['s1 | h2:1 | replica | removed']);
    const added = told({ nodes: nodesOf(one), next: two });
    expect(added).toEqual(['s1 | h2:1 | not there yet | replica']);
  });
});

test('another address is told as such, though the node keeps its name', () => {
  const before = [nodeView({ key: 'h1:6379', address: '192.0.2.77' })];
  expect(told({ nodes: before, next: layoutOf(['h1:6379 s1 master']) })).toEqual([
    's1 | h1:6379 | master at 192.0.2.77 | master at 192.0.2.1',
  ]);
});
