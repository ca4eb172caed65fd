/** Slots that are half way when an end is replaced: the agent of the heir has them open again before any mover comes. */
import { NodeRole, type Heartbeat } from '@redrover/proto';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { until } from '../../support/until.ts';
import { AgentHarness, PASSWORD } from './agent-harness.ts';
import { createCluster } from './cluster.ts';
import { MovingCluster } from './moving-cluster.ts';

const MASTERS = [7001, 7002, 7003];
const REPLICAS = { 7004: 7001, 7005: 7002 };
const ALL = [7001, 7002, 7003, 7004, 7005];
/** Of tag `cv`. */
const SLOT = 40;
const KEYS = 100;
/** Within that a promotion is seen, and what is open asked for. */
const LOOK_MS = 2_000;

let harness: AgentHarness;
let cluster: MovingCluster;

beforeEach(async () => {
  harness = await AgentHarness.start();
  await createCluster(harness, { masters: MASTERS, replicas: REPLICAS });
  cluster = new MovingCluster(harness, ALL);
  await cluster.fill(7001, KEYS, { tags: ['cv'] });
});
afterEach(async () => {
  cluster?.close();
  await harness?.stop();
});

async function call(port: number, ...command: [string, ...(string | number)[]]): Promise<unknown> {
  return cluster.client(port).call(...command);
}

async function idOf(port: number): Promise<string> {
  return String(await call(port, 'CLUSTER', 'MYID'));
}

/** Half of the keys are on the target, and on the replica of each end. */
async function moveHalf(): Promise<void> {
  await call(7002, 'CLUSTER', 'SETSLOT', SLOT, 'IMPORTING', await idOf(7001));
  await call(7001, 'CLUSTER', 'SETSLOT', SLOT, 'MIGRATING', await idOf(7002));
  const names = (await call(7001, 'CLUSTER', 'GETKEYSINSLOT', SLOT, KEYS / 2)) as string[];
  const auth = ['AUTH', PASSWORD];
  await call(7001, 'MIGRATE', harness.address, 7002, '', 0, 1_000, ...auth, 'KEYS', ...names);
  await until('the replicas to have heard', async () => {
    const counts = await Promise.all([7004, 7005].map((port) => cluster.keys(port)));
    return counts.every((count) => count === KEYS / 2);
  });
}

/** What the node itself has open. */
async function openOn(port: number): Promise<string[]> {
  const text = String(await call(port, 'CLUSTER', 'NODES'));
  const line = text.split('\n').find((each) => each.includes('myself')) ?? '';
  return line.split(' ').filter((word) => word.startsWith('['));
}

/** The replica is elected while its master hangs. */
async function replace(master: number, replica: number): Promise<void> {
  harness.signal(master, 'SIGSTOP');
  await call(replica, 'CLUSTER', 'FAILOVER', 'TAKEOVER');
  await until('the heir to be master', async () =>
    String(await call(replica, 'ROLE')).startsWith('master'),
  );
}

/** Nobody else does it here: no command was given. */
async function expectOpenBetween(source: number, target: number): Promise<void> {
  const given = `[${SLOT}->-${await idOf(target)}]`;
  const taken = `[${SLOT}-<-${await idOf(source)}]`;
  await until(`slot ${SLOT} to be open again`, async () => {
    const [atSource, atTarget] = await Promise.all([openOn(source), openOn(target)]);
    return atSource.includes(given) && atTarget.includes(taken);
  });
}

test('the heir of a source sends clients on to what was moved, and takes no second copy of it', async () => {
  await moveHalf();
  const [moved = ''] = (await call(7002, 'CLUSTER', 'GETKEYSINSLOT', SLOT, 1)) as string[];
  await replace(7001, 7004);
  await expectOpenBetween(7004, 7002);
  await expect(call(7004, 'SET', moved, 'second')).rejects.toThrow(/^ASK 40 /);
  expect(await cluster.keys(7004)).toBe(KEYS / 2);
});

test('a target serves its own slots while the master that it imported from stays away', async () => {
  await moveHalf();
  const former = await idOf(7001);
  await replace(7001, 7004);
  await expectOpenBetween(7004, 7002);
  await until('the target to call the former source failed', async () => {
    const lines = String(await call(7002, 'CLUSTER', 'NODES')).split('\n');
    return lines.some((line) => line.startsWith(former) && / master,fail /.test(line));
  });
  expect(await call(7002, 'CLUSTER', 'INFO')).toContain('cluster_state:ok');
  const owned = (await call(7002, 'CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
  const [, , [, port]] = owned.find(([start, end]) => start <= SLOT && SLOT <= end) ?? [0, 0, []];
  expect(port).toBe(7004);
});

test('the heir of a target takes in what it has a copy of, and the source sends clients there', async () => {
  await moveHalf();
  const [moved = ''] = (await call(7002, 'CLUSTER', 'GETKEYSINSLOT', SLOT, 1)) as string[];
  await replace(7002, 7005);
  await expectOpenBetween(7001, 7005);
  await expect(call(7001, 'GET', moved)).rejects.toThrow(new RegExp(`^ASK ${SLOT} .*:7005$`));
});

test('a master that was handed over by its replica leaves its open slots to it as well', async () => {
  await moveHalf();
  await call(7004, 'CLUSTER', 'FAILOVER');
  await until('the heir to be master', async () =>
    String(await call(7004, 'ROLE')).startsWith('master'),
  );
  await expectOpenBetween(7004, 7002);
});

test('a slot that is open to nobody of the replaced master is left alone', async () => {
  await call(7002, 'CLUSTER', 'SETSLOT', SLOT, 'IMPORTING', await idOf(7003));
  const before = await openOn(7002);
  await replace(7001, 7004);
  await until('the agent to have looked', async () =>
    (await harness.controller.observe(['h1:7004'])).some(({ redis }) => redis?.role === 'master'),
  );
  // As long as it may take to open one.
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  expect(await openOn(7004)).toEqual([]);
  expect(await openOn(7002)).toEqual(before);
});

test('a promotion is told to the controller at once, and not when the next heartbeat is due', async () => {
  harness.controller.heartbeatMs = 60_000;
  await harness.killAgent();
  await call(7004, 'CONFIG', 'RESETSTAT');
  await harness.startAgent();
  await until('the agent to know the roles', async () =>
    String(await call(7004, 'INFO', 'commandstats')).includes('cmdstat_role:'),
  );
  await call(7004, 'CLUSTER', 'FAILOVER', 'TAKEOVER');
  const isMaster = ({ nodes }: Heartbeat) =>
    nodes.some(({ port, redis }) => port === 7004 && redis?.role === NodeRole.MASTER);
  expect(
    await harness.controller.heartbeat('a heartbeat of the new master', isMaster),
  ).toBeDefined();
});
