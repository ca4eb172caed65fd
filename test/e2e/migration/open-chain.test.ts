/** Slots that were left half way from a first shard to a second, and from that one to a third, with keys at both. */
import { afterEach, expect, test, vi } from 'vitest';

import { engineCases } from '../../support/engines.ts';
import { MoveCluster, type MoveNode } from '../../support/migration/move-cluster.ts';
import { withNode } from '../../support/migration/raw-nodes.ts';
import { roleOf } from '../../support/migration/victims.ts';
import { until } from '../../support/until.ts';

// What somebody else may have opened is left alone for a minute, one after the other.
vi.setConfig({ testTimeout: 480_000 });
const QUIET_WITHIN_MS = 120_000;
const END_WITHIN_MS = 300_000;

const [MIGRATE] = engineCases(['migrate']);

let cluster: MoveCluster;

afterEach(async () => cluster?.stop());

async function masterOf(shard: string): Promise<MoveNode> {
  for (const node of cluster.nodes) {
    if (node.shard === shard && (await roleOf(cluster, node)) === 'master') return node;
  }
  throw new Error(`no master of ${shard}`);
}

test('are finished in order by a repair, and go home with all keys', async () => {
  if (MIGRATE === undefined) throw new Error('no release');
  cluster = await MoveCluster.start({ release: MIGRATE.release(), nodeTimeoutMs: 2_000 });
  const { nodes } = await cluster.untilWhole();
  const idOf = ({ host, port }: MoveNode) =>
    nodes.find(({ address }) => address === `${host}:${port}`)?.id ?? '';
  const [first, second, third] = await Promise.all(['s1', 's2', 's3'].map(masterOf));
  if (first === undefined || second === undefined || third === undefined) throw new Error('?');
  const client = cluster.connect();
  /** One key stays at the source, another one was written to the target by a client that was sent there. */
  const leaveOpen = async (tag: string, from: MoveNode, to: MoveNode): Promise<void> => {
    await client.set(`{${tag}}stayed`, '1');
    await withNode(to, cluster.password, async (target) => {
      const slot = String(await target.call('CLUSTER', 'KEYSLOT', tag));
      await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', idOf(from));
      await withNode(from, cluster.password, (source) =>
        source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', idOf(to)),
      );
      await Promise.all([target.call('ASKING'), target.call('SET', `{${tag}}went`, '2')]);
    });
  };
  try {
    // Slots 3300 and 7638 (CLUSTER KEYSLOT).
    await leaveOpen('b', first, second);
    await leaveOpen('abc', second, third);
    const id = await until(
      'the slots to be quiet',
      async () => cluster.begin('repair'),
      QUIET_WITHIN_MS,
    );
    const { operation } = await cluster.endOf(id, { timeoutMs: END_WITHIN_MS });
    expect(operation.state, operation.message).toBe('done');
    await cluster.untilWhole();
    for (const tag of ['b', 'abc']) {
      expect(await client.get(`{${tag}}stayed`)).toBe('1');
      expect(await client.get(`{${tag}}went`)).toBe('2');
    }
  } finally {
    client.disconnect();
  }
});
