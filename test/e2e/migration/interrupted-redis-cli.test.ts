/**
 * Somebody moves slots with `redis-cli --cluster reshard`: a living one is left alone; of one that was killed
 * the open slots are found, and settled once nobody has touched them for a minute.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { engineCases } from '../../support/engines.ts';
import { areCampaignsWanted, chooseSeed } from '../../support/migration/campaign-size.ts';
import { MixedData } from '../../support/migration/mixed-data.ts';
import { MoveCluster } from '../../support/migration/move-cluster.ts';
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

test.skipIf(!areCampaignsWanted())('a living reshard is left alone', async () => {
  const client = cluster.connect();
  try {
    const data = await MixedData.write(client, { keys: 4_000 });
    const { exitCode } = await reshardByClient('s1', 's2', 500);
    await until('its first open slot', async () => (await openSlots()).length > 0);
    const repair = ['cluster', 'repair', cluster.name, '--yes', '--detach'];
    await cluster.stack.redrover(repair);
    expect(await exitCode).toBe(0);
    expect(await openSlots()).toEqual([]);
    expect(await data.findLost(client)).toEqual([]);
  } finally {
    client.disconnect();
  }
});
