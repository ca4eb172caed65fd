import { create } from '@bufbuild/protobuf';
import { clusterViewOf } from '@redrover/core';
import type { HostStatus, NodeObservation, NodeRole, ViewNode } from '@redrover/core';
import { ClusterHealth, GetClusterResponseSchema } from '@redrover/proto';
import { layoutToProto, nodeObservationToProto } from '@redrover/wire';
import { describe, expect, test } from 'vitest';

import { layoutOf, view } from '../testing/examples.ts';
import { toClusterDetails } from './cluster-view.ts';
import { renderCluster } from './topology.ts';

const layout = layoutOf(['h1:6379 s1 master', 'h2:6379 s1 replica']);

function observe(key: string, role: NodeRole): NodeObservation {
  const host = key.split(':')[0] ?? '';
  const nodeId = host.slice(1).repeat(40);
  const own: ViewNode = {
    nodeId,
    address: `192.0.2.${host.slice(1)}`,
    port: 6379,
    busPort: 16379,
    flags: [role === 'master' ? 'master' : 'slave'],
    masterId: '',
    configEpoch: 1,
    connected: true,
    slots: role === 'master' ? [{ start: 0, end: 16383 }] : [],
    migrating: [],
    importing: [],
  };
  return {
    key,
    host,
    port: 6379,
    observedAtMs: 1,
    process: {
      state: 'running',
      pid: 1,
      startedAtMs: 1,
      restarts: 0,
      reason: '',
      marker: undefined,
      hasData: true,
      identityLost: false,
      planHash: '',
      buildId: '',
    },
    redis: {
      nodeId,
      version: '7.0.15',
      role,
      clusterState: 'ok',
      slotsAssigned: 16384,
      knownNodes: 2,
      currentEpoch: 1,
      configEpoch: 1,
      replicationOffset: 1,
      masterLinkUp: role === 'master' ? undefined : true,
      masterLastIoSeconds: undefined,
      syncInProgress: false,
      loading: false,
      connectedReplicas: 1,
      connectedClients: 1,
      usedMemoryBytes: 1,
      maxmemoryBytes: 0,
      keys: 0,
      uptimeSeconds: 1,
      nodeTimeoutMs: 5000,
      replicaNoFailover: false,
      aofEnabled: true,
      persistenceOk: true,
      nofileSoft: 65535,
      moveEngines: ['migrate'],
      openSlotsQuietMs: 0,
      orphanKeys: undefined,
      view: { hash: 'a', nodes: [own] },
    },
  };
}

interface Seen {
  readonly observations: readonly NodeObservation[];
  readonly hosts?: Readonly<Record<string, HostStatus>>;
  readonly drainedHosts?: readonly string[];
}

function detailsOf({ observations, hosts = {}, drainedHosts = [] }: Seen) {
  const answer = create(GetClusterResponseSchema, {
    summary: { name: 'shop', health: ClusterHealth.OK, layoutNumber: 2, shards: 1, nodes: 2 },
    spec: { name: 'shop', placement: { basePort: 6379 } },
    layout: layoutToProto({ ...layout, drainedHosts }),
    nodes: observations.map((each) => nodeObservationToProto(each, { view: 'full' })),
  });
  const statuses = { h1: 'online', h2: 'online', ...hosts } as const;
  return toClusterDetails(answer, new Map<string, HostStatus>(Object.entries(statuses)));
}

const nodesOfDetails = (seen: Seen) =>
  detailsOf(seen).nodes.map(({ key, role, state }) => `${key} ${role} ${state}`);

describe('a host that is lost', () => {
  // Before it went, h1 had told that it is the master, which h2 has become since.
  const observations = [observe('h1:6379', 'master'), observe('h2:6379', 'master')];

  test('what its nodes said last is not taken for true', () => {
    expect(nodesOfDetails({ observations, hosts: { h1: 'lost' } })).toEqual([
      'h2:6379 master running',
      'h1:6379 replica host-lost',
    ]);
    expect(detailsOf({ observations, hosts: { h1: 'lost' } }).slotsCovered).toBe(16384);
  });

  test('one that was silent for a moment only is believed', () => {
    const hosts = { h1: 'suspect' } as const;
    expect(nodesOfDetails({ observations, hosts })).toContain('h1:6379 master running');
  });

  test('of what it said nothing is left, but what the others say of it counts', () => {
    const replica = observe('h2:6379', 'replica');
    const [self] = replica.redis?.view.nodes ?? [];
    const [gone] = observe('h1:6379', 'master').redis?.view.nodes ?? [];
    if (self === undefined || gone === undefined || replica.redis === undefined) throw new Error();
    const sees = (flags: readonly string[]) => {
      const nodes = [self, { ...gone, flags: ['master', ...flags] }];
      const redis = { ...replica.redis, view: { hash: 'b', nodes } } as NodeObservation['redis'];
      return detailsOf({ observations: [{ ...replica, redis }], hosts: { h1: 'lost' } });
    };
    expect(sees([]).slotsCovered).toBe(16384);
    expect(sees(['fail?']).slotsCovered).toBe(16384);
    expect(sees(['fail']).slotsCovered).toBe(0);
    expect(sees(['fail']).nodes.map(({ key, role, slots }) => [key, role, slots])).toEqual([
      ['h1:6379', 'master', ['0-16383']],
      ['h2:6379', 'replica', []],
    ]);
  });

  test('is shown as lost', () => {
    const details = detailsOf({ observations, hosts: { h1: 'lost' } });
    expect(renderCluster(details, [], view)).toMatch(/replica .*h1 .*host lost$/m);
  });
});

describe('a host that is drained', () => {
  const stopped = { ...observe('h1:6379', 'master'), redis: undefined };
  const observations = [
    { ...stopped, process: { ...stopped.process, state: 'stopped' as const } },
    observe('h2:6379', 'master'),
  ];

  test('its nodes are stopped, and whoever stands in has not drifted', () => {
    const text = renderCluster(detailsOf({ observations, drainedHosts: ['h1'] }), [], view);
    expect(text).toContain('drained for maintenance: h1');
    expect(text).toMatch(/master +h2 /);
    expect(text).toMatch(/replica +h1 .*stopped, drained$/m);
    expect(text).not.toContain('*');
  });

  test('after it, the same roles are drift, and the command that ends it is told', () => {
    const text = renderCluster(detailsOf({ observations }), [], view);
    expect(text).toMatch(/master\* +h2 /);
    expect(text).toContain('redrover cluster repair shop');
  });
});

test('an operation under way is told with what it waits for', () => {
  const details = {
    ...detailsOf({ observations: [] }),
    repair: 'auto' as const,
    repairQuietMs: 300_000,
    operation: {
      id: 'op1',
      kind: 'repair' as const,
      state: 'running' as const,
      reason: '',
      automatic: true,
    },
  };
  const waits = [{ subject: 'shop', reason: 'repairs are frozen: 2 of 3 agents are silent' }];
  expect(renderCluster(details, waits, view).split('\n').slice(1, 4)).toEqual([
    'automatic repair running (operation op1)',
    'repairs itself after 5 min of quiet (repair: auto)',
    'waiting: shop: repairs are frozen: 2 of 3 agents are silent',
  ]);
});

test('a paused operation is told with the command that goes on with it', () => {
  const operation = {
    id: 'op1',
    kind: 'change' as const,
    state: 'paused' as const,
    reason: 'scale to 4 shards',
    automatic: false,
  };
  const details = { ...detailsOf({ observations: [] }), operation };
  expect(renderCluster(details, [], view).split('\n')[1]).toBe(
    'scale to 4 shards paused (redrover op resume op1 goes on with it)',
  );
});

test('slots on their way are told by the node that has them, with the other end by its name', () => {
  const [source, target] = [observe('h1:6379', 'master'), observe('h2:6379', 'master')];
  const [own] = source.redis?.view.nodes ?? [];
  if (own === undefined || source.redis === undefined) throw new Error();
  const migrating = [7, 8, 100].map((slot) => ({ slot, nodeId: '2'.repeat(40) }));
  const importing = [{ slot: 200, nodeId: '9'.repeat(40) }];
  const view = clusterViewOf([{ ...own, migrating, importing }]);
  const observations = [{ ...source, redis: { ...source.redis, view } }, target];
  const { nodes } = detailsOf({ observations });
  expect(nodes.find(({ key }) => key === 'h1:6379')?.openSlots).toEqual([
    { direction: 'migrating', slots: ['7-8', '100'], count: 3, peer: 'h2:6379' },
    { direction: 'importing', slots: ['200'], count: 1, peer: '9'.repeat(40) },
  ]);
});

test('slots that a former node still serves are told with its address', () => {
  const replica = observe('h2:6379', 'replica');
  const [former] = observe('h9:6379', 'master').redis?.view.nodes ?? [];
  if (former === undefined || replica.redis === undefined) throw new Error();
  const nodes = [{ ...former, slots: [{ start: 5, end: 9 }] }];
  const redis = { ...replica.redis, view: clusterViewOf(nodes) };
  const details = detailsOf({ observations: [{ ...replica, redis }] });
  expect(details.slotsElsewhere).toEqual([
    { node: '192.0.2.9:6379', slots: ['5-9'], slotCount: 5 },
  ]);
  expect(renderCluster(details, [], view)).toContain(
    '5 slots (5-9) at 192.0.2.9:6379, which is no node of the layout',
  );
});
