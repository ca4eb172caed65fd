/**
 * A slot that was left to a person while it was open, as both ends have a key of one name: whoever takes the place of
 * an end, clients find the keys that went ahead, and those that stayed; and nobody decides for the person.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Cluster } from 'ioredis';

import { engineCases } from '../../support/engines.ts';
import { MoveCluster, type MoveNode } from '../../support/migration/move-cluster.ts';
import { withNode } from '../../support/migration/raw-nodes.ts';
import {
  hold,
  letGo,
  roleOf,
  serverOf,
  untilMaster,
  untilServes,
} from '../../support/migration/victims.ts';
import { until } from '../../support/until.ts';

// What somebody else may have opened is left alone for a minute, each time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 300_000 });
const QUIET_WITHIN_MS = 150_000;

/** Of tag `cv`. */
const SLOT = 40;
const WENT = 20;
const [MIGRATE] = engineCases(['migrate']);

let cluster: MoveCluster;
let client: Cluster;

beforeEach(async () => {
  if (MIGRATE === undefined) throw new Error('no release');
  cluster = await MoveCluster.start({ release: MIGRATE.release(), nodeTimeoutMs: 1_500 });
  client = cluster.connect();
});
afterEach(async () => {
  client?.disconnect();
  await cluster?.stop();
});

async function masterOf(shard: string): Promise<MoveNode> {
  for (const node of cluster.nodes) {
    if (node.shard === shard && (await roleOf(cluster, node)) === 'master') return node;
  }
  throw new Error(`no master of ${shard}`);
}

/** As a promotion in the middle of a move leaves it: keys at the target, and a key of one of their names anew. */
async function leaveUndecided(): Promise<void> {
  const { nodes } = await cluster.untilWhole();
  const idOf = ({ host, port }: MoveNode) =>
    nodes.find(({ address }) => address === `${host}:${port}`)?.id ?? '';
  const [source, target] = [await masterOf('s1'), await masterOf('s2')];
  await client.set('{cv}both', 'here');
  await withNode(target, cluster.password, async (to) => {
    await to.call('CLUSTER', 'SETSLOT', SLOT, 'IMPORTING', idOf(source));
    await withNode(source, cluster.password, (from) =>
      from.call('CLUSTER', 'SETSLOT', SLOT, 'MIGRATING', idOf(target)),
    );
    const set = (key: string, value: string) =>
      Promise.all([to.call('ASKING'), to.call('SET', key, value)]);
    await set('{cv}both', 'there');
    for (let n = 0; n < WENT; n += 1) await set(`{cv}${n}`, String(n));
    expect(await to.call('WAIT', '1', '5000')).toBe(1);
  });
}

/** It hangs until its replica was elected. */
async function replace(shard: string): Promise<void> {
  const node = await masterOf(shard);
  const server = await serverOf(cluster, node);
  hold(server);
  try {
    await untilMaster(
      cluster,
      cluster.nodes.filter((other) => other.shard === shard && other !== node),
    );
  } finally {
    letGo(server);
  }
  await untilServes(cluster, node);
}

async function expectAllRead(): Promise<void> {
  for (let n = 0; n < WENT; n += 1) expect(await client.get(`{cv}${n}`)).toBe(String(n));
  expect(await client.get('{cv}both')).toBe('here');
}

async function expectUndecided(id: string): Promise<void> {
  const { operation, attempts } = await cluster.endOf(id, { timeoutMs: 300_000 });
  expect(operation.state, operation.message).toBe('needs-decision');
  const slots = attempts.flatMap(({ move }) => move?.quarantined ?? []);
  expect(new Set(slots.map(({ slot, rule }) => `${slot} ${rule}`))).toEqual(
    new Set([`${SLOT} key-differs`]),
  );
}

async function untilLeft(id: string): Promise<void> {
  await cluster.stack.withApi(async (api) => {
    for await (const { event } of api.operations.watchOperation({ operation: id })) {
      if (event.case === 'progress' && (event.value.move?.quarantinedSlots ?? 0) > 0) return;
    }
    throw new Error('the operation has ended');
  });
}

async function begin(...change: readonly string[]): Promise<string> {
  return until(`${change.join(' ')} to begin`, () => cluster.begin(...change), QUIET_WITHIN_MS);
}

describe.skipIf(MIGRATE?.isMissing === true)('on a release that knows no other way', () => {
  test('is opened anew by the operation that left it, when its target is replaced', async () => {
    for (let n = 0; n < 9_000; n += 1) await client.set(`rest:${n}`, 'x'.repeat(1_000));
    await leaveUndecided();
    const id = await begin('move-slots', '--slots', '40-3000', '--to', 's2', '--rate', '60kb/s');
    await untilLeft(id);
    await expectAllRead();
    await replace('s2');
    await expectUndecided(id);
    await expectAllRead();
    // Whose slot is half way to it gives nothing away: that is said, and not tried until it is given up.
    const next = await begin('move-slots', '--slots', '6000-6001', '--to', 's3');
    await expectUndecided(next);
    expect((await cluster.details(next)).operation.message).toContain('half way');
    await expectAllRead();
  });

  test.each(['s1', 's2'])(
    'is opened anew by a repair after its end in %s was replaced',
    async (shard) => {
      await leaveUndecided();
      await expectUndecided(await begin('move-slots', '--slots', '40', '--to', 's2'));
      await expectAllRead();
      await replace(shard);
      await expectUndecided(await begin('repair'));
      await expectAllRead();
    },
  );
});
