/** A master starts at once only if what a start would load is all that it had acknowledged. */
import { execa } from 'execa';
import { Redis } from 'ioredis';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { distDirectory } from '../../support/paths.ts';
import { until } from '../../support/until.ts';
import { AgentHarness, PASSWORD } from './agent-harness.ts';
import { createCluster } from './cluster.ts';

/** Three masters, so that two could elect; 7001 has slots 0 to 5460. */
const PORTS = { masters: [7001, 7002, 7003], replicas: { 7004: 7001 } };

let harness: AgentHarness;
let client: Redis;
beforeEach(async () => {
  harness = await AgentHarness.start();
});
afterEach(async () => {
  client?.disconnect();
  await harness?.stop();
});

/** Without a failover the old master would stay master for ever: the guard alone stands in the way. */
async function createWithoutFailover(config: Readonly<Record<string, string>> = {}) {
  await createCluster(harness, { ...PORTS, config });
  const node = harness.key(7004);
  const timing = { nodeTimeoutMs: 2_000, replicaNoFailover: true };
  await harness.controller.step({ kind: 'setTiming', host: 'h1', node, ...timing });
  const { address: host } = harness;
  client = new Redis({ host, port: 7001, password: PASSWORD, protocol: 2, retryStrategy: null });
  client.on('error', () => {});
}

async function write(key: string, count: number): Promise<void> {
  // The slot of `{b}` is 3300.
  await Promise.all(
    Array.from({ length: count }, (_, index) => client.set(`{b}${key}${index}`, 'value')),
  );
  expect(await client.wait(1, 5_000)).toBe(1);
}

async function keysOfReplica(): Promise<number | undefined> {
  const [replica] = await harness.controller.observe([harness.key(7004)]);
  return replica?.redis?.keys;
}

const stop = (port: number) =>
  harness.controller.step({ kind: 'stopNode', host: 'h1', node: harness.key(port) });
const start = (port: number) =>
  harness.controller.step({ kind: 'startNode', host: 'h1', node: harness.key(port) });
const refused = { code: 'data-loss', message: expect.stringContaining('held back') };

describe('after a clean stop', () => {
  test('it starts again with all that it had', async () => {
    await createWithoutFailover();
    await write('k', 20);
    await stop(7001);
    await start(7001);
    const [seen] = await harness.controller.observe([harness.key(7001)]);
    expect(seen?.redis).toMatchObject({ role: 'master', keys: 20 });
  });

  test('it is held when what it had saved is gone', async () => {
    await createWithoutFailover();
    await write('k', 20);
    await stop(7001);
    await rm(join(harness.root, '7001/appendonlydir'), { recursive: true });
    await expect(start(7001)).rejects.toMatchObject(refused);
    expect(await keysOfReplica()).toBe(20);
  });

  test('it is held when its AOF was off, which its config loads', async () => {
    await createWithoutFailover({ save: '3600 1' });
    await write('k', 20);
    await client.config('SET', 'appendonly', 'no');
    await write('more', 20);
    await stop(7001);
    await expect(start(7001)).rejects.toMatchObject(refused);
    expect(await keysOfReplica()).toBe(40);
  });

  test('it has a snapshot when its AOF was on, which its config does not load', async () => {
    await createWithoutFailover({ appendonly: 'no', save: '' });
    await client.config('SET', 'appendonly', 'yes');
    await write('k', 20);
    await stop(7001);
    await start(7001);
    const [seen] = await harness.controller.observe([harness.key(7001)]);
    expect(seen?.redis).toMatchObject({ role: 'master', keys: 20 });
  });
});

test('a crash while the AOF is being switched on holds it: the files are older', async () => {
  await createWithoutFailover();
  await write('k', 20);
  await client.config('SET', 'appendonly', 'no');
  await write('more', 100);
  await harness.controller.observe([harness.key(7001)]);
  // 0.1 s a key: the rewrite outlives the test.
  await client.config('SET', 'rdb-key-save-delay', '100000');
  await client.config('SET', 'appendonly', 'yes');
  await until('the rewrite', async () =>
    /aof_rewrite_in_progress:1/.test(await client.info('persistence')),
  );
  // Seen by the agent, as an enabled AOF whose last write succeeded.
  await harness.controller.observe([harness.key(7001)]);
  harness.signal(7001, 'SIGKILL');
  await harness.inState(7001, 'held', 10_000);
  expect(await keysOfReplica()).toBe(120);
});

describe('a release by a person', () => {
  test('is refused for a node that runs', async () => {
    await harness.run(harness.plan(7001));
    const bundle = join(distDirectory, 'redrover-agent.mjs');
    const args = [bundle, 'release-node', '7001', '--root', harness.root];
    const { exitCode, stderr } = await execa(process.execPath, args, { reject: false });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('nothing to release');
  });

  test('that was given for an earlier end lets no later one pass', async () => {
    await createWithoutFailover({ appendonly: 'no', save: '' });
    await write('k', 20);
    await writeFile(join(harness.root, 'agent/nodes/7001.release'), '1 1 earlier');
    harness.signal(7001, 'SIGKILL');
    await harness.inState(7001, 'held', 10_000);
    expect(await keysOfReplica()).toBe(20);
  });
});
