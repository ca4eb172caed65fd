import {
  DEFAULT_MOVE_OPTIONS,
  nodeMemoryBytes,
  parseSpec,
  type Layout,
  type Observation,
} from '@redrover/core';
import { expect, test } from 'vitest';

import { Hosts } from '../agents/hosts.ts';
import { Observations } from '../agents/observations.ts';
import type { ClusterRecord } from '../store/cluster-records.ts';
import { canonicalJson, fingerprintPlan, type Fingerprinted } from './fingerprint.ts';
import { listPlanningHosts } from './planning-hosts.ts';

const layout = {
  cluster: 'c1',
  clusterId: 'id-1',
  number: 1,
  nodes: [{ key: 'h1:6379', host: 'h1', port: 6379, busPort: 16379 }],
  maxmemoryBytes: 1024 ** 3,
} as unknown as Layout;

function recordOf(clusterId: string): ClusterRecord {
  return { name: 'c1', clusterId, layout: { ...layout, clusterId } } as ClusterRecord;
}

test('what other clusters use on a host is taken, what the cluster itself uses is not', () => {
  const hosts = new Hosts();
  const facts = undefined;
  hosts.noteHello({ name: 'h1', address: '127.0.0.1', labels: {}, facts, builds: [] });
  hosts.noteBeat('h1', {
    builds: [],
    diskFreeBytes: 1,
    loadAverage: 0,
    agentRssBytes: 0,
    usedPorts: [22],
    movers: [],
  });
  const sources = { hosts, observations: new Observations() };
  const [own] = listPlanningHosts(sources, [recordOf('id-1')], 'id-1');
  expect(own).toMatchObject({ usedPorts: [22], reservedBytes: 0 });
  const [other] = listPlanningHosts(sources, [recordOf('id-1')], 'id-2');
  expect(other).toMatchObject({
    usedPorts: [22, 6379, 16379],
    reservedBytes: nodeMemoryBytes(1024 ** 3),
  });
});

const parsed = parseSpec({ name: 'c1', release: 'redis-7.2.4', shards: 3, replicas: 1 });
if (!parsed.ok) throw new Error('the spec of this test is wrong');

const plan: Fingerprinted = {
  kind: 'create',
  purge: false,
  currentLayoutNumber: 0,
  spec: parsed.spec,
  layout,
  former: [],
  release: {
    name: 'redis-7.2.4',
    product: 'redis',
    version: '7.2.4',
    source: { kind: 'https', url: 'https://x/redis-7.2.4.tar.gz' },
    sha256: 'a'.repeat(64),
  },
  move: DEFAULT_MOVE_OPTIONS,
  observation: { hosts: {}, nodes: {}, sharedBuilds: [] },
};

const seen = (change: object) =>
  ({ ...plan.observation, nodes: { 'h1:6379': change } }) as unknown as Observation;

test.each([
  ['another spec', { spec: { ...plan.spec, shards: 4 } }],
  ['another port', { layout: { ...layout, nodes: [{ ...layout.nodes[0], port: 1 }] } as Layout }],
  ['another layout in force', { currentLayoutNumber: 1 }],
  ['another digest', { release: { ...plan.release, sha256: 'b'.repeat(64) } }],
  ['the data kept or not', { purge: true }],
  ['slots moved in another way', { move: { ...DEFAULT_MOVE_OPTIONS, pace: 'fast' } }],
  ['a node that appeared', { observation: seen({ process: { state: 'stopped' } }) }],
  [
    'another role',
    { observation: seen({ process: { state: 'running' }, redis: { role: 'replica' } }) },
  ],
] as const)('%s gives another fingerprint', (_what, change) => {
  expect(fingerprintPlan({ ...plan, ...change })).not.toBe(fingerprintPlan(plan));
});

test('the order of fields and what changes by itself do not matter', () => {
  const reversed = Object.fromEntries(Object.entries(plan.spec).toReversed());
  expect(canonicalJson(reversed)).toBe(canonicalJson(plan.spec));
  const running = (restarts: number, keys: number) =>
    seen({ process: { state: 'running', restarts }, redis: { role: 'master', nodeId: 'a', keys } });
  expect(fingerprintPlan({ ...plan, observation: running(0, 1) })).toBe(
    fingerprintPlan({ ...plan, observation: running(3, 99) }),
  );
});

test('a plan for a running cluster holds as long as nothing moves that it reacts to', () => {
  const self = { nodeId: 'a', flags: ['master'], masterId: '', slots: [], address: '', port: 1 };
  const running = (state: string, role: string, keys: number) =>
    seen({
      key: 'h1:6379',
      process: { state },
      redis: { role, nodeId: 'a', keys, view: { hash: role, nodes: [self] } },
    });
  const repair = { ...plan, kind: 'repair' as const };
  const of = (observation: Observation) => fingerprintPlan({ ...repair, observation });
  const now = of(running('running', 'master', 1));
  expect(of(running('running', 'master', 99))).toBe(now);
  expect(of(running('running', 'replica', 1))).not.toBe(now);
  expect(of(running('unresponsive', 'master', 1))).not.toBe(now);
  const former = layout.nodes.map((node) => ({ ...node, key: 'h2:6379' }));
  const observation = running('running', 'master', 1);
  expect(fingerprintPlan({ ...repair, observation, former })).not.toBe(now);
});
