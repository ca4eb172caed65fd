/**
 * Somebody moves slots with `redis-cli --cluster reshard`: a living one is left alone; of one that was killed
 * the open slots are found, and settled once nobody has touched them for a minute.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { engineCases } from '../../support/engines.ts';
import { chooseSeed } from '../../support/migration/campaign-size.ts';
import { MixedData } from '../../support/migration/mixed-data.ts';
import { MoveCluster } from '../../support/migration/move-cluster.ts';
import { withNode, type RawNode } from '../../support/migration/raw-nodes.ts';
import { createRandom } from '../../support/migration/random.ts';
import { until } from '../../support/until.ts';

const [MIGRATE] = engineCases(['migrate']);

/** `REDROVER_RESHARD_ROUNDS`: each takes the minute of quiet. */
const ROUNDS = Number(process.env['REDROVER_RESHARD_ROUNDS'] || 1);
const MAX_TRIES = 30;
const ROUND_MS = 180_000;

let cluster: MoveCluster;

beforeEach(async () => {
  if (MIGRATE === undefined) throw new Error('no release');
  cluster = await MoveCluster.start({ release: MIGRATE.release(), nodeTimeoutMs: 5_000 });
});

afterEach(async () => cluster?.stop());

interface CheckJson {
  readonly findings: readonly { readonly rule: string }[];
}

async function openSlots(): Promise<readonly string[]> {
  return (await cluster.truth()).nodes.flatMap((node) => node.openSlots);
}

interface Reshard {
  readonly child: ChildProcess;
  /** Null: it was killed. */
  readonly exitCode: Promise<number | null>;
}

async function reshardByClient(from: string, to: string, slots: number): Promise<Reshard> {
  const { nodes } = await cluster.truth();
  const idOf = (shard: string): string => {
    const known = cluster.nodes.filter((node) => node.shard === shard);
    const master = nodes.find(
      ({ role, address }) =>
        role === 'master' && known.some(({ host, port }) => address === `${host}:${port}`),
    );
    return master?.id ?? '';
  };
  const [first] = cluster.nodes;
  const args = ['--cluster', 'reshard', `${first?.host}:${first?.port}`, '--cluster-yes'];
  args.push('--cluster-from', idOf(from), '--cluster-to', idOf(to), '--cluster-slots', `${slots}`);
  const child = spawn(cluster.release.cli, args, {
    stdio: 'ignore',
    env: { ...process.env, REDISCLI_AUTH: cluster.password },
  });
  return { child, exitCode: once(child, 'close').then(([code]) => code as number | null) };
}

test(
  'an interrupted reshard is found, waited for, and brought to its end',
  async () => {
    const seed = chooseSeed();
    const random = createRandom(seed);
    const client = cluster.connect();
    const writer = await cluster.write({ prefix: 'calm' });
    try {
      const data = await MixedData.write(client, { keys: 4_000 });
      for (let round = 1; round <= ROUNDS; round += 1) {
        await interrupt(() => random.integer(20, 900));
        const open = await openSlots();
        await until('the finding', async () => {
          const check = ['cluster', 'check', cluster.name];
          const { findings } = await cluster.stack.redroverJson<CheckJson>(check);
          return findings.some(({ rule }) => rule === 'open-slots');
        });
        const id = await cluster.begin('repair');
        // Perhaps it lives: nothing is done about it for a minute.
        expect(await openSlots()).toEqual(open);
        const { operation } = await cluster.endOf(id ?? '');
        expect(operation.state, `seed ${seed}: ${operation.message}`).toBe('done');
        await cluster.untilWhole();
      }
      const report = await writer.stop();
      expect(report, `seed ${seed}`).toMatchObject({ misses: [], lost: [], unread: 0 });
      expect(await data.findLost(client), `seed ${seed}`).toEqual([]);
      console.log(`redis-cli reshard interrupted ${ROUNDS} times, seed ${seed}: nothing lost`);
    } finally {
      writer.kill();
      client.disconnect();
    }
  },
  ROUNDS * ROUND_MS,
);

/** Killed at random moments, until it has left a slot open. */
async function interrupt(afterMs: () => number): Promise<void> {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const { child, exitCode } = await reshardByClient(tries % 2 === 0 ? 's1' : 's3', 's2', 300);
    const timer = setTimeout(() => child.kill('SIGKILL'), afterMs());
    await exitCode;
    clearTimeout(timer);
    if ((await openSlots()).length > 0) return;
  }
  throw new Error(`${MAX_TRIES} interrupted reshards left no slot open`);
}

/** The first slot of `s1`, which `redis-cli` takes first. */
const FIRST_SLOT = 0;
const TAG = '1bz';
/** Some seconds of its work. */
const KEYS_OF_SLOT = 50_000;
const FILL_AT_ONCE = 5_000;
/** Of the minute after which nobody would take it for living any more. */
const WATCHED_MS = 8_000;

test('a living reshard is left alone, and what it did put right when it has ended', async () => {
  const source = await masterOf('s1');
  await fillSlot(source);
  const { child, exitCode } = await reshardByClient('s1', 's2', 1);
  try {
    await until('the slot to be half way', async () => {
      const count = await countKeys(source);
      return count > 0 && count < KEYS_OF_SLOT;
    });
    // It lives, and takes its time.
    child.kill('SIGSTOP');
    const open = await openSlots();
    expect(open).toHaveLength(2);
    const left = await countKeys(source);
    const id = (await cluster.begin('repair')) ?? '';
    await until(
      'the repair to run',
      async () => (await cluster.details(id)).operation.state === 'running',
    );
    const sinceTick = performance.now();
    while (performance.now() - sinceTick < WATCHED_MS) {
      const { attempts } = await cluster.details(id);
      expect(attempts.map(({ stepKey }) => stepKey).filter((key) => /moves/i.test(key))).toEqual(
        [],
      );
      expect(await openSlots()).toEqual(open);
      expect(await countKeys(source)).toBe(left);
    }
    child.kill('SIGCONT');
    expect(await exitCode).toBe(0);
    const { operation } = await cluster.endOf(id);
    expect(operation.state, operation.message).toBe('done');
    await cluster.untilWhole();
    expect(await countKeys(source)).toBe(KEYS_OF_SLOT);
  } finally {
    child.kill('SIGKILL');
  }
});

async function masterOf(shard: string): Promise<RawNode> {
  const { nodes } = await cluster.truth();
  const masters = nodes.filter(({ role }) => role === 'master').map(({ address }) => address);
  const found = cluster.nodes.find(
    (node) => node.shard === shard && masters.includes(`${node.host}:${node.port}`),
  );
  if (found === undefined) throw new Error(`${shard} has no master`);
  return found;
}

async function countKeys(node: RawNode): Promise<number> {
  return withNode(node, cluster.password, async (client) =>
    Number(await client.call('CLUSTER', 'COUNTKEYSINSLOT', FIRST_SLOT)),
  );
}

async function fillSlot(node: RawNode): Promise<void> {
  await withNode(node, cluster.password, async (client) => {
    for (let start = 0; start < KEYS_OF_SLOT; start += FILL_AT_ONCE) {
      const names = Array.from({ length: FILL_AT_ONCE }, (_, n) => `{${TAG}}${start + n}`);
      await client.mset(names.flatMap((name) => [name, 'value']));
    }
  });
}
