/** Each state that a crash can leave a slot in, made on real servers and brought home by the next move. */
import { execa } from 'execa';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { until } from '../../support/until.ts';
import { askWitness } from '../../support/witness.ts';
import { AgentHarness, PASSWORD } from './agent-harness.ts';
import { createCluster } from './cluster.ts';
import { MovingCluster, type MoveRequest } from './moving-cluster.ts';

const MASTERS = [7001, 7002, 7003];
const REPLICAS = { 7004: 7001, 7005: 7002 };
const ALL = [7001, 7002, 7003, 7004, 7005];
/** Of tag `cv`. */
const SLOT = 40;
const KEYS = 200;

let harness: AgentHarness;
let cluster: MovingCluster;

beforeEach(async () => {
  harness = await AgentHarness.start();
  const config = { 'cluster-require-full-coverage': 'no' };
  await createCluster(harness, { masters: MASTERS, replicas: REPLICAS, config });
  cluster = new MovingCluster(harness, ALL);
  await cluster.fill(7001, KEYS, { tags: ['cv'] });
});
afterEach(async () => {
  cluster?.close();
  await harness?.stop();
});

function request(change: Partial<MoveRequest> = {}): MoveRequest {
  return {
    engine: 'migrate',
    source: 7001,
    target: 7002,
    slots: [{ start: SLOT, end: SLOT }],
    options: { pace: 'fast' },
    ...change,
  };
}

async function call(port: number, ...command: [string, ...(string | number)[]]): Promise<unknown> {
  return cluster.client(port).call(...command);
}

async function idOf(port: number): Promise<string> {
  return String(await call(port, 'CLUSTER', 'MYID'));
}

async function setSlot(port: number, ...how: readonly string[]): Promise<void> {
  await call(port, 'CLUSTER', 'SETSLOT', SLOT, ...how);
}

async function open(source = 7001, target = 7002): Promise<void> {
  await setSlot(target, 'IMPORTING', await idOf(source));
  await setSlot(source, 'MIGRATING', await idOf(target));
}

/** As a mover does that is killed half way. */
async function moveSome(count: number, target = 7002): Promise<void> {
  const names = (await call(7001, 'CLUSTER', 'GETKEYSINSLOT', SLOT, count)) as string[];
  const { address } = harness;
  const auth = ['AUTH', PASSWORD];
  await call(7001, 'MIGRATE', address, target, '', 0, 1_000, ...auth, 'KEYS', ...names);
}

/** The slot is the node's, every key is there, and nobody thinks otherwise. */
async function expectHome(port: number, keys = KEYS, ports = ALL): Promise<void> {
  await cluster.untilAgreed(ports);
  expect(await call(port, 'CLUSTER', 'COUNTKEYSINSLOT', SLOT)).toBe(keys);
  for (const each of ports) {
    expect(String(await call(each, 'CLUSTER', 'NODES'))).not.toMatch(/\[\d+-[<>]-/);
  }
  const verdict = await askWitness({ address: harness.address, port: 7003, password: PASSWORD });
  expect(verdict, verdict.text).toMatchObject({ ok: true, slotsCovered: 16_384 });
}

/** The replica takes over while its master hangs; nothing is sent that Redrover would send. */
async function replace(master: number, replica: number): Promise<void> {
  harness.signal(master, 'SIGSTOP');
  await call(replica, 'CLUSTER', 'FAILOVER', 'TAKEOVER');
  const id = await idOf(replica);
  await until('the others to see the new master', async () => {
    const text = String(await call(7003, 'CLUSTER', 'NODES'));
    return text.split('\n').some((line) => line.startsWith(id) && / master .* \d+-\d+/.test(line));
  });
}

/** It is away just then: else it opens the slot again before anybody can write. */
async function withoutAgent(scene: () => Promise<void>): Promise<void> {
  await harness.killAgent();
  await scene();
  await harness.startAgent();
}

/** With owners and modes: servers run as a user of their own. */
async function copy(from: string, to: string): Promise<void> {
  await execa('cp', ['-a', from, to]);
}

async function expectMoved(change: Partial<MoveRequest> = {}): Promise<void> {
  const { error, report } = await cluster.move(request(change));
  expect(error).toBeUndefined();
  expect(report?.quarantined).toEqual([]);
}

test('only the target is open, and holds nothing', async () => {
  await setSlot(7002, 'IMPORTING', await idOf(7001));
  await expectMoved();
  await expectHome(7002);
});

test('only the source is open', async () => {
  await setSlot(7001, 'MIGRATING', await idOf(7002));
  await expectMoved();
  await expectHome(7002);
});

test('both are open, and the keys are on both', async () => {
  await open();
  await moveSome(KEYS / 2);
  await expectMoved();
  await expectHome(7002);
});

test('the target was told that it owns the slot, the source was away', async () => {
  await open();
  await moveSome(KEYS);
  harness.signal(7001, 'SIGSTOP');
  await setSlot(7002, 'NODE', await idOf(7002));
  harness.signal(7001, 'SIGCONT');
  await expectMoved();
  await expectHome(7002);
});

test('the target was replaced by its replica half way', async () => {
  await open();
  await moveSome(KEYS / 2);
  await until('the replica to have all', async () => (await cluster.keys(7005)) === KEYS / 2);
  await replace(7002, 7005);
  harness.signal(7002, 'SIGCONT');
  await until('the former target to follow', async () =>
    String(await call(7002, 'ROLE')).startsWith('slave'),
  );
  await expectMoved({ target: 7005 });
  await expectHome(7005);
});

test('the source was replaced by its replica half way', async () => {
  await open();
  await moveSome(KEYS / 2);
  await until('the replica to have all', async () => (await cluster.keys(7004)) === KEYS / 2);
  await withoutAgent(async () => {
    await replace(7001, 7004);
    // It knows nothing of MIGRATING, and takes what the target would have to be asked for.
    await call(7004, 'SET', '{cv}new', 'written after the promotion');
  });
  await expectMoved({ source: 7004 });
  harness.signal(7001, 'SIGCONT');
  await expectHome(7002, KEYS + 1);
  expect(await call(7002, 'GET', '{cv}new')).toBe('written after the promotion');
});

test('the source was replaced, and its heir took a write of a key that the target had', async () => {
  await call(7001, 'SET', '{cv}twice', 'first');
  await open();
  await moveSome(KEYS + 1);
  await until('the replica to have heard', async () => (await cluster.keys(7004)) === 0);
  await withoutAgent(async () => {
    await replace(7001, 7004);
    await call(7004, 'SET', '{cv}twice', 'second');
  });
  const { error, report } = await cluster.move(request({ source: 7004 }));
  expect(error).toBeUndefined();
  expect(report?.quarantined).toMatchObject([{ slot: SLOT, rule: 'key-differs' }]);
  expect(await call(7004, 'GET', '{cv}twice')).toBe('second');
});

test('the target lost power before it had written down that it owns the slot', async () => {
  const directory = join(harness.root, '7002');
  const kept = join(harness.root, 'nodes.conf.kept');
  await open();
  await moveSome(KEYS);
  await call(7002, 'CLUSTER', 'SAVECONFIG');
  await cp(join(directory, 'nodes.conf'), kept);
  await setSlot(7002, 'NODE', await idOf(7002));
  await setSlot(7001, 'NODE', await idOf(7002));
  await cluster.untilAgreed();
  await harness.controller.step({ kind: 'stopNode', host: 'h1', node: 'h1:7002' });
  await cp(kept, join(directory, 'nodes.conf'));
  await rm(kept);
  await harness.controller.step({ kind: 'startNode', host: 'h1', node: 'h1:7002' });
  await expectMoved();
  await expectHome(7002);
});

test('the source comes back with keys of a slot that it has given away', async () => {
  const directory = join(harness.root, '7001');
  const kept = join(harness.root, 'aof.kept');
  await copy(join(directory, 'appendonlydir'), kept);
  await expectMoved();
  await call(7002, 'SET', '{cv}0', 'newer');
  await harness.controller.step({ kind: 'stopNode', host: 'h1', node: 'h1:7001' });
  await rm(join(directory, 'appendonlydir'), { recursive: true });
  await copy(kept, join(directory, 'appendonlydir'));
  await harness.controller.step({ kind: 'startNode', host: 'h1', node: 'h1:7001' });
  // Not all of them: an AOF that is synced each second may be a moment behind.
  const stale = Number(await call(7001, 'CLUSTER', 'COUNTKEYSINSLOT', SLOT));
  expect(stale).toBeGreaterThan(0);
  const { error, report } = await cluster.move(request());
  expect(error).toBeUndefined();
  expect(report?.notes.join()).toContain(`${stale} keys of slot ${SLOT}`);
  await cluster.untilAgreed();
  expect(await call(7002, 'GET', '{cv}0')).toBe('newer');
  expect(await call(7002, 'CLUSTER', 'COUNTKEYSINSLOT', SLOT)).toBe(KEYS);
});

test('nobody owns the slot: a person decides, and the others are moved', async () => {
  for (const port of ALL) await call(port, 'CLUSTER', 'DELSLOTS', SLOT).catch(() => {});
  await until('nobody to own it', async () => {
    const texts = await Promise.all(ALL.map((port) => call(port, 'CLUSTER', 'INFO')));
    return texts.every((text) => String(text).includes('cluster_slots_assigned:16383'));
  });
  const { error, report } = await cluster.move(request({ slots: [{ start: 30, end: 50 }] }));
  expect(error).toBeUndefined();
  expect(report).toMatchObject({ slotsMoved: 20 });
  expect(report?.quarantined).toMatchObject([{ slot: SLOT, rule: 'slot-owner-disputed' }]);
  const evidence = report?.quarantined[0]?.evidence.join('\n') ?? '';
  for (const port of ALL) expect(evidence).toContain(`h1:${port}`);
  expect(evidence).toContain(`${KEYS} keys`);
});
