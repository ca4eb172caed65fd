import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  DEFAULT_MOVE_OPTIONS,
  parseSpec,
  type Attempt,
  type Layout,
  type Operation,
  type Release,
} from '@redrover/core';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { openStore, type Store } from './store.ts';

let directory: string;
let store: Store;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'redrover-store-'));
  store = openStore(join(directory, 'controller.sqlite'));
});

afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const layout: Layout = {
  cluster: 'c1',
  clusterId: 'id-1',
  number: 1,
  release: 'redis-7.2.4',
  shards: [],
  nodes: [],
  maxmemoryBytes: undefined,
  nodeTimeoutMs: 5000,
  config: {},
  zoneLabel: 'zone',
  allowSameHost: false,
  allowWeakQuorum: false,
  drainedHosts: [],
};

const release: Release = {
  name: 'redis-7.2.4',
  product: 'redis',
  version: '7.2.4',
  source: { kind: 'upload', fileName: 'redis-7.2.4.tar.gz' },
  sha256: 'a'.repeat(64),
};

function operationOf(id: string, change: Partial<Operation> = {}): Operation {
  return {
    id,
    cluster: 'c1',
    kind: 'create',
    layoutNumber: 1,
    state: 'running',
    createdAtMs: 100,
    endedAtMs: undefined,
    message: '',
    purge: false,
    reason: '',
    automatic: false,
    move: DEFAULT_MOVE_OPTIONS,
    ...change,
  };
}

async function createCluster(operation = operationOf('op-1')): Promise<void> {
  const parsed = parseSpec({ name: 'c1', release: 'redis-7.2.4', shards: 3, replicas: 1 });
  if (!parsed.ok) throw new Error('the spec of this test is wrong');
  await store.clusters.create({ spec: parsed.spec, layout, release, password: 'pw', operation });
}

function recordOf(operation: Operation) {
  return { operation, clusterId: 'id-1', cancelling: false };
}

function attemptOf(stepKey: string, change: Partial<Attempt> = {}): Attempt {
  return {
    stepKey,
    startedAtMs: 1,
    endedAtMs: undefined,
    outcome: 'running',
    errorCode: undefined,
    message: '',
    move: undefined,
    ...change,
  };
}

test('a cluster, its layout and its operation are stored together or not at all', async () => {
  await createCluster();
  expect(await store.clusters.find('c1')).toMatchObject({ release: { sha256: release.sha256 } });
  expect(await store.operations.listUnderWay()).toHaveLength(1);
  const other = { ...layout, clusterId: 'id-2' };
  const parsed = parseSpec({ name: 'c1', release: 'redis-7.2.4', shards: 3, replicas: 1 });
  if (!parsed.ok) throw new Error('the spec of this test is wrong');
  await expect(
    store.clusters.create({
      spec: parsed.spec,
      layout: other,
      release,
      password: 'pw',
      operation: operationOf('op-2'),
    }),
  ).rejects.toThrow(/UNIQUE/);
  await expect(store.clusters.readLayout('id-2', 1)).rejects.toThrow(/not stored/);
  expect(await store.operations.find('op-2')).toBeUndefined();
});

test('the store itself refuses a second operation under way on a cluster', async () => {
  await createCluster();
  await expect(store.operations.add(operationOf('op-2'), 'id-1')).rejects.toThrow(/UNIQUE/);
  await store.operations.update(recordOf(operationOf('op-1', { state: 'failed' })), []);
  await store.operations.add(operationOf('op-2'), 'id-1');
  expect((await store.operations.list('c1')).map(({ operation }) => operation.id)).toEqual([
    'op-2',
    'op-1',
  ]);
});

test('an attempt that ends replaces its own beginning, and the order stays', async () => {
  await createCluster();
  const journal = [attemptOf('startNode a'), attemptOf('startNode b')];
  await store.operations.appendJournal(
    journal.map((attempt, position) => ({ operationId: 'op-1', position, attempt })),
  );
  const ended = attemptOf('startNode a', {
    endedAtMs: 9,
    outcome: 'failed',
    errorCode: 'unavailable',
    message: 'gone',
  });
  await store.operations.appendJournal([{ operationId: 'op-1', position: 0, attempt: ended }]);
  expect(await store.operations.readJournal('op-1')).toEqual([ended, journal[1]]);
});

test('a removal that is done takes the cluster along, but not its history', async () => {
  await createCluster(operationOf('op-1', { state: 'done', endedAtMs: 200 }));
  const removal = operationOf('op-2', { kind: 'remove', createdAtMs: 300 });
  await store.operations.add(removal, 'id-1');
  const attempt = attemptOf('stopNode a');
  await store.operations.update(recordOf({ ...removal, state: 'done', endedAtMs: 400 }), [
    { operationId: 'op-2', position: 0, attempt },
  ]);
  expect(await store.clusters.find('c1')).toBeUndefined();
  expect(await store.clusters.readPassword('c1')).toBeUndefined();
  expect((await store.clusters.readLayout('id-1', 1)).layout.cluster).toBe('c1');
  expect(await store.operations.readJournal('op-2')).toEqual([attempt]);
  expect(await store.operations.hasDone('id-1', 'create')).toBe(true);
});

test('an operation that has ended does not change its state any more', async () => {
  await createCluster();
  await store.operations.update(recordOf(operationOf('op-1', { state: 'done' })), []);
  const paused = recordOf(operationOf('op-1', { state: 'paused' }));
  expect(await store.operations.change(paused)).toBe(false);
  expect((await store.operations.find('op-1'))?.operation.state).toBe('done');
});

test('a plan is forgotten after a day, and when it was used', async () => {
  const plan = { fingerprint: 'f1', layout, plannedAtMs: 1000 };
  await store.plans.save(plan);
  expect(await store.plans.findLayout('f1', 2000)).toMatchObject({ clusterId: 'id-1' });
  // Nobody planned anything since, so it is still in the file.
  expect(await store.plans.findLayout('f1', 1001 + 24 * 3_600_000)).toBeUndefined();
  await createCluster();
  expect(await store.plans.findLayout('f1', 0)).toBeUndefined();
  const next = { ...plan, layout: { ...layout, clusterId: 'id-2' } };
  await store.plans.save(next);
  expect(await store.plans.findLayout('f1', 0)).toBeDefined();
  await store.plans.save({ ...next, fingerprint: 'f2', plannedAtMs: 1000 + 25 * 3_600_000 });
  expect(await store.plans.findLayout('f1', 0)).toBeUndefined();
  expect(await store.plans.findLayout('f2', 0)).toBeDefined();
});

test('a plan for a cluster that was made hands its id to no other', async () => {
  await createCluster();
  await store.plans.save({ fingerprint: 'f1', layout, plannedAtMs: 1000 });
  expect(await store.plans.newestClusterId('c1')).toBeUndefined();
  expect(await store.plans.findLayout('f1', 0)).toBeUndefined();
});

function nextLayout(number: number, keys: readonly string[]): Layout {
  const nodes = keys.map((key) => ({ key, address: `a${number}` }));
  return { ...layout, number, nodes } as unknown as Layout;
}

async function advance(number: number, keys: readonly string[], change: object = {}) {
  const record = await store.clusters.find('c1');
  if (record === undefined) throw new Error('no cluster');
  const fromLayoutNumber = record.layout.number;
  const id = `op-${number}`;
  const operation = operationOf(id, {
    kind: 'change',
    layoutNumber: number,
    reason: 'drain host h1',
  });
  const next = { ...record, layout: nextLayout(number, keys), operation, fromLayoutNumber };
  await store.clusters.advance([{ ...next, ...change }], 200);
}

async function endOf(id: string): Promise<void> {
  const found = await store.operations.find(id);
  if (found === undefined) throw new Error(`no ${id}`);
  await store.operations.update(recordOf({ ...found.operation, state: 'done' }), []);
}

test('a next layout, the spec with it and the operation come into force together', async () => {
  await createCluster();
  await endOf('op-1');
  const record = await store.clusters.find('c1');
  if (record === undefined) throw new Error('no cluster');
  await advance(2, ['h1:1'], { spec: { ...record.spec, repair: 'auto' } });
  expect(await store.clusters.find('c1')).toMatchObject({
    spec: { repair: 'auto' },
    layout: { number: 2 },
  });
  expect(await store.operations.find('op-2')).toMatchObject({
    operation: { layoutNumber: 2, kind: 'change', reason: 'drain host h1', state: 'running' },
  });
  expect(await store.clusters.readPassword('c1')).toBe('pw');
});

test('beside another operation, or on another layout than was planned from, nothing changes', async () => {
  await createCluster();
  await expect(advance(2, ['h1:1'])).rejects.toThrow(/UNIQUE constraint/);
  await endOf('op-1');
  await expect(advance(3, ['h1:1'], { fromLayoutNumber: 2 })).rejects.toMatchObject({
    code: 'stale-plan',
  });
  expect((await store.clusters.find('c1'))?.layout.number).toBe(1);
  expect((await store.operations.list('c1')).map(({ operation }) => operation.id)).toEqual([
    'op-1',
  ]);
  // Neither layout was kept.
  await advance(2, ['h1:1']);
  expect((await store.clusters.find('c1'))?.layout.number).toBe(2);
});

test('a spec alone is saved without an operation', async () => {
  await createCluster();
  await endOf('op-1');
  const record = await store.clusters.find('c1');
  if (record === undefined) throw new Error('no cluster');
  const spec = { ...record.spec, repairQuietMs: 7000 };
  const alone = { ...record, spec, operation: undefined, fromLayoutNumber: 1 };
  await store.clusters.advance([alone], 200);
  expect(await store.clusters.find('c1')).toMatchObject({ spec, layout: { number: 1 } });
  expect(await store.operations.list('c1')).toHaveLength(1);
});

test('former nodes are those of all earlier layouts that the current one lacks', async () => {
  await createCluster();
  await endOf('op-1');
  await advance(2, ['h1:1', 'h2:1', 'h3:1']);
  await endOf('op-2');
  expect(await store.clusters.listFormerNodes('id-1', 2)).toEqual([]);
  await advance(3, ['h1:1', 'h2:1', 'h4:1']);
  await endOf('op-3');
  await advance(4, ['h1:1', 'h5:1', 'h3:1']);
  const former = await store.clusters.listFormerNodes('id-1', 4);
  // h1 has another address in each layout, and is the same node; h3 came back.
  expect(former).toEqual([
    { key: 'h2:1', address: 'a3' },
    { key: 'h4:1', address: 'a3' },
  ]);
  expect(await store.clusters.listFormerNodes('id-1', 3)).toEqual([{ key: 'h3:1', address: 'a2' }]);
  expect(await store.clusters.listFormerNodes('id-1', 4)).toEqual(former);
  // A new cluster of that name goes on from there, also once this one is gone.
  expect(await store.clusters.nextLayoutNumber('c1')).toBe(5);
  expect(await store.clusters.nextLayoutNumber('c2')).toBe(1);
});

test('the newest repairs of a cluster come first, and nothing else is among them', async () => {
  await createCluster();
  await endOf('op-1');
  for (const [at, id] of ['op-a', 'op-b', 'op-c'].entries()) {
    const operation = operationOf(id, { kind: 'repair', createdAtMs: 100 * at, automatic: at > 1 });
    await store.operations.add(operation, 'id-1');
    await endOf(id);
  }
  const repairs = await store.operations.listRepairs('id-1', 2);
  expect(repairs.map(({ id, automatic }) => [id, automatic])).toEqual([
    ['op-c', true],
    ['op-b', false],
  ]);
  expect(await store.operations.listRepairs('id-2', 2)).toEqual([]);
  expect(await store.operations.findNewest('id-2')).toBeUndefined();
  const removal = operationOf('op-d', { kind: 'remove', createdAtMs: 999 });
  await store.operations.add(removal, 'id-1');
  expect(await store.operations.findNewest('id-1')).toEqual(removal);
});

test('clusters that repair themselves are found by their spec', async () => {
  await createCluster();
  expect(await store.clusters.listSelfRepairing()).toEqual([]);
  const record = await store.clusters.find('c1');
  if (record === undefined) throw new Error('no cluster');
  const spec = { ...record.spec, repair: 'auto' as const };
  const saved = { ...record, spec, operation: undefined, fromLayoutNumber: 1 };
  await store.clusters.advance([saved], 200);
  expect(await store.clusters.listSelfRepairing()).toMatchObject([{ name: 'c1', spec }]);
});
