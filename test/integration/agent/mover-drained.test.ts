/** A master that gives its last slot away: what becomes of it is the layout's business, not the server's. */
import { afterEach, beforeEach, expect, test } from 'vitest';

import { until } from '../../support/until.ts';
import { AgentHarness } from './agent-harness.ts';
import { createCluster } from './cluster.ts';
import { MovingCluster, type MoveRequest } from './moving-cluster.ts';

const ALL = [7001, 7002, 7003, 7004, 7005];
const SLOTS = [{ start: 0, end: 5_460 }];

let harness: AgentHarness;
let cluster: MovingCluster;

beforeEach(async () => {
  harness = await AgentHarness.start();
  await createCluster(harness, {
    masters: [7001, 7002, 7003],
    replicas: { 7004: 7001, 7005: 7002 },
  });
  cluster = new MovingCluster(harness, ALL);
  await cluster.fill(7001, 1_000, { tags: ['cv', '7g'] });
});
afterEach(async () => {
  cluster?.close();
  await harness?.stop();
});

function drain(change: Partial<MoveRequest> = {}): MoveRequest {
  const options = { pace: 'fast' } as const;
  return { engine: 'migrate', source: 7001, target: 7002, slots: SLOTS, options, ...change };
}

async function roleOf(port: number): Promise<unknown> {
  const [role, host, master] = (await cluster.client(port).call('ROLE')) as unknown[];
  return role === 'slave' ? `replica of ${String(host)}:${String(master)}` : role;
}

test('it stays a master, keeps its replica, and can be filled again', async () => {
  expect(await cluster.move(drain())).toMatchObject({ error: undefined });
  await cluster.untilAgreed();
  expect(await cluster.slotsOf(7001)).toBe(0);
  expect(await roleOf(7001)).toBe('master');
  expect(await roleOf(7004)).toBe(`replica of ${harness.address}:7001`);
  expect(await cluster.move(drain({ source: 7002, target: 7001 }))).toMatchObject({
    error: undefined,
  });
  expect(await cluster.keys(7001)).toBe(1_000);
});

test('only as its config says so: by Redis’ own default it turns into a replica of the target', async () => {
  await cluster.client(7001).call('CONFIG', 'SET', 'cluster-allow-replica-migration', 'yes');
  expect(await cluster.move(drain())).toMatchObject({ error: undefined });
  await until(
    '7001 to follow 7002',
    async () => (await roleOf(7001)) === `replica of ${harness.address}:7002`,
  );
  expect(await cluster.keys(7002)).toBe(1_000);
});
