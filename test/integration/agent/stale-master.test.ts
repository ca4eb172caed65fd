/** A master that comes back without its last state must not overwrite its replicas. */
import { Redis } from 'ioredis';
import { execa } from 'execa';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { distDirectory } from '../../support/paths.ts';
import { until } from '../../support/until.ts';
import { AgentHarness, PASSWORD } from './agent-harness.ts';
import { createCluster, isServing, settled } from './cluster.ts';

let harness: AgentHarness;
const clients: Redis[] = [];

beforeEach(async () => {
  harness = await AgentHarness.start();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await harness?.stop();
});

const NO_PERSISTENCE = { appendonly: 'no', save: '' };
/** Three masters, so that two are left to elect; 7001 has slots 0 to 5460. */
const PORTS = { masters: [7001, 7002, 7003], replicas: { 7004: 7001 } };
const ALL = [7001, 7002, 7003, 7004];

function connect(port: number): Redis {
  const { address: host } = harness;
  const client = new Redis({ host, port, password: PASSWORD, protocol: 2, retryStrategy: null });
  client.on('error', () => {});
  clients.push(client);
  return client;
}

/** Writes keys of the master's own slots, each acknowledged by its replica; answers how many. */
async function writeKeys(port: number, count: number): Promise<number> {
  const client = connect(port);
  let written = 0;
  for (let index = 0; written < count; index += 1) {
    const key = `key:${index}`;
    if ((await client.cluster('KEYSLOT', key)) > 5_460) continue;
    await client.set(key, 'value');
    written += 1;
  }
  expect(await client.wait(1, 5_000)).toBe(1);
  return written;
}

describe('a crashed master with a replica', () => {
  test('and no AOF is held until its replica is promoted, then returns and loses nothing', async () => {
    await createCluster(harness, { ...PORTS, config: NO_PERSISTENCE });
    const written = await writeKeys(7001, 200);
    harness.signal(7001, 'SIGKILL');
    const held = await harness.inState(7001, 'held', 5_000);
    expect(held.process.reason).toContain('has no complete AOF');
    expect(held.process.reason).toContain('release-node');
    await settled(
      harness,
      ALL.map((port) => harness.key(port)),
      isServing,
    );
    const [old, promoted] = await harness.controller.observe([
      harness.key(7001),
      harness.key(7004),
    ]);
    expect(old?.redis).toMatchObject({ role: 'replica', keys: written });
    expect(promoted?.redis).toMatchObject({ role: 'master', keys: written });
  });

  test('and an AOF is back at once, as master, with all keys', async () => {
    // Far longer than a restart takes on a busy machine: no failover may come in between.
    await createCluster(harness, { ...PORTS, nodeTimeoutMs: 15_000 });
    const written = await writeKeys(7001, 200);
    harness.signal(7001, 'SIGKILL');
    await settled(
      harness,
      ALL.map((port) => harness.key(port)),
      isServing,
    );
    const [old] = await harness.controller.observe([harness.key(7001)]);
    expect(old?.redis).toMatchObject({ role: 'master', keys: written });
  });

  test('and an AOF that is gone is held, also by an agent that starts later', async () => {
    await createCluster(harness, PORTS);
    const written = await writeKeys(7001, 50);
    // Without failover it would stay master for ever: the guard alone stands in the way.
    await harness.controller.step({
      kind: 'setTiming',
      host: 'h1',
      node: harness.key(7004),
      nodeTimeoutMs: 2_000,
      replicaNoFailover: true,
    });
    await harness.killAgent('SIGKILL');
    harness.signal(7001, 'SIGKILL');
    // A folder since 7.0, one file before.
    for (const name of ['appendonlydir', 'appendonly.aof']) {
      await rm(join(harness.root, '7001', name), { recursive: true, force: true });
    }
    await harness.startAgent();
    const held = await harness.inState(7001, 'held');
    expect(held.process.reason).toMatch(/appendonly\.aof(\.manifest)? is missing/);
    // Starting it by a step is refused as well.
    const start = { kind: 'startNode', host: 'h1', node: harness.key(7001) } as const;
    await expect(harness.controller.step(start)).rejects.toMatchObject({ code: 'data-loss' });
    const [replica] = await harness.controller.observe([harness.key(7004)]);
    expect(replica?.redis?.keys).toBe(written);
    // A person who knows better.
    const bundle = join(distDirectory, 'redrover-agent.mjs');
    await execa(process.execPath, [bundle, 'release-node', '7001', '--root', harness.root]);
    await harness.inState(7001, 'running');
  });

  test('and lost nodes.conf as well is held by what the agent remembers', async () => {
    await createCluster(harness, { ...PORTS, config: NO_PERSISTENCE });
    await writeKeys(7001, 50);
    await until('the agent to have written down the replica', async () => {
      const beat = await harness.controller.heartbeat('a heartbeat', () => true);
      return beat.nodes.length === ALL.length;
    });
    await harness.killAgent('SIGKILL');
    harness.signal(7001, 'SIGKILL');
    await rm(join(harness.root, '7001/nodes.conf'));
    await harness.startAgent();
    const held = await harness.inState(7001, 'held', 5_000);
    expect(held.process.reason).toContain(`${harness.address}:7004`);
  });
});

test('a crashed replica and a crashed master without replicas are back at once', async () => {
  await createCluster(harness, { ...PORTS, config: NO_PERSISTENCE });
  harness.signal(7004, 'SIGKILL');
  harness.signal(7003, 'SIGKILL');
  const nodes = [harness.key(7003), harness.key(7004)];
  const seen = await until(
    'both to run',
    async () => {
      const now = await harness.controller.observe(nodes);
      return now.every(({ process: { restarts, state } }) => restarts === 1 && state === 'running')
        ? now
        : undefined;
    },
    5_000,
  );
  expect(seen.map((node) => node.process.reason)).toEqual([
    'killed by SIGKILL',
    'killed by SIGKILL',
  ]);
});
