import { describe, expect, it } from 'vitest';
import type { NodeObservation, Observation, ViewNode } from '../../model/observation.ts';
import { settledCluster } from '../../placement/testing/settled-cluster.ts';
import { clusterViewOf } from '../../topology/cluster-view.ts';
import { layoutOf } from '../testing/examples.ts';
import { topologyMark } from './topology-mark.ts';

const layout = layoutOf({ hosts: 3, shards: 3, replicas: 1 });
const settled = settledCluster(layout);

type Change = (node: NodeObservation) => NodeObservation;

function withNode(change: Change, key = 'h1:6379'): Observation {
  const node = settled.nodes[key];
  if (node === undefined) throw new Error(`no node ${key}`);
  return { ...settled, nodes: { ...settled.nodes, [key]: change(node) } };
}

function withRedis(change: object): Observation {
  return withNode((node) => ({
    ...node,
    redis: node.redis === undefined ? undefined : { ...node.redis, ...change },
  }));
}

function withProcess(change: object): Observation {
  return withNode((node) => ({ ...node, process: { ...node.process, ...change } }));
}

function withView(change: (nodes: readonly ViewNode[]) => ViewNode[]): Observation {
  const nodes = settled.nodes['h1:6379']?.redis?.view.nodes ?? [];
  return withRedis({ view: clusterViewOf(change(nodes)) });
}

function firstOf(nodes: readonly ViewNode[]): ViewNode {
  const [first] = nodes;
  if (first === undefined) throw new Error('an empty view');
  return first;
}

const markOf = (observation: Observation, of = layout) => topologyMark(of, observation);

describe('the mark of a topology', () => {
  it.each<[string, Observation]>([
    ['a role', withRedis({ role: 'replica' })],
    ['a node id', withRedis({ nodeId: 'e'.repeat(40) })],
    ['an answer that fails to come', withNode((node) => ({ ...node, redis: undefined }))],
    ['a process', withProcess({ state: 'unresponsive' })],
    ['a lost identity', withProcess({ identityLost: true })],
    [
      'a host',
      {
        ...settled,
        hosts: { ...settled.hosts, h2: { ...settled.hosts['h2']!, status: 'suspect' } },
      },
    ],
    [
      'a node of an earlier layout',
      { ...settled, nodes: { ...settled.nodes, 'h9:1': settled.nodes['h1:6379']! } },
    ],
    ['an owner of slots', withView((nodes) => nodes.map((entry) => ({ ...entry, slots: [] })))],
    [
      'a master that is followed',
      withView((nodes) => nodes.map((entry) => ({ ...entry, masterId: 'x' }))),
    ],
    ['a known id', withView((nodes) => [...nodes, { ...firstOf(nodes), nodeId: 'd'.repeat(40) }])],
    [
      'a failure',
      withView((nodes) => nodes.map((entry) => ({ ...entry, flags: [...entry.flags, 'fail'] }))),
    ],
  ])('changes with %s', (_what, observation) => {
    expect(markOf(observation)).not.toBe(markOf(settled));
  });

  it('changes with the layout', () => {
    expect(markOf(settled, { ...layout, number: 2 })).not.toBe(markOf(settled));
  });

  it.each<[string, Observation]>([
    [
      'offsets and counters',
      withRedis({ replicationOffset: 9, keys: 7, usedMemoryBytes: 1, uptimeSeconds: 5 }),
    ],
    ['epochs', withRedis({ currentEpoch: 99 })],
    ['the time of a reading', withNode((node) => ({ ...node, observedAtMs: 1 }))],
    ['restarts', withProcess({ restarts: 3, pid: 1, reason: 'exit code 1' })],
    [
      'handshakes that come and go',
      withView((nodes) => [
        ...nodes,
        { ...firstOf(nodes), nodeId: 'c'.repeat(40), flags: ['handshake'] },
      ]),
    ],
    [
      'suspicion',
      withView((nodes) => nodes.map((entry) => ({ ...entry, flags: [...entry.flags, 'fail?'] }))),
    ],
  ])('stays whatever becomes of %s', (_what, observation) => {
    expect(markOf(observation)).toBe(markOf(settled));
  });

  it('stays when the others come to call a stopped node failed', () => {
    const stopped = withNode(
      (node) => ({
        ...node,
        process: { ...node.process, state: 'stopped', pid: undefined },
        redis: undefined,
      }),
      'h2:6379',
    );
    const { address, port } = layout.nodes.find(({ key }) => key === 'h2:6379')!;
    const later = Object.values(stopped.nodes).map((node): [string, NodeObservation] => {
      if (node.redis === undefined) return [node.key, node];
      const entries = node.redis.view.nodes.map((entry) =>
        entry.address === address && entry.port === port
          ? { ...entry, flags: [...entry.flags, 'fail'] }
          : entry,
      );
      return [node.key, { ...node, redis: { ...node.redis, view: clusterViewOf(entries) } }];
    });
    expect(markOf({ ...stopped, nodes: Object.fromEntries(later) })).toBe(markOf(stopped));
  });

  it('stays while a node that cannot start is tried again and again', () => {
    const marks = ['starting', 'backoff', 'crash-loop'].map((state) =>
      markOf(
        withNode((node) => ({
          ...node,
          process: { ...node.process, state: state as 'starting' },
          redis: undefined,
        })),
      ),
    );
    expect(new Set(marks).size).toBe(1);
  });

  it('does not depend on the order of nodes and hosts', () => {
    const turn = <T>(of: Readonly<Record<string, T>>) =>
      Object.fromEntries(Object.entries(of).toReversed());
    const turned = { ...settled, nodes: turn(settled.nodes), hosts: turn(settled.hosts) };
    expect(markOf(turned)).toBe(markOf(settled));
  });
});
