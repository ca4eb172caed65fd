/** Trouble that ends by itself, in the middle of a move: an operation waits for it, and goes on without a person. */
import { afterEach, expect, test, vi } from 'vitest';
import { setTimeout as delay } from 'node:timers/promises';

import { engineCases } from '../../support/engines.ts';
import { MixedData } from '../../support/migration/mixed-data.ts';
import { MoveCluster } from '../../support/migration/move-cluster.ts';
import { hold, letGo, serverOf } from '../../support/migration/victims.ts';
import { until } from '../../support/until.ts';

// Clusters are created, filled and read back, on machines that do other things as well.
vi.setConfig({ testTimeout: 300_000 });

const [MIGRATE] = engineCases(['migrate']);
const NODE_TIMEOUT_MS = 1_500;
/** Long enough for all to call them failed, and for their agents to say that they do not answer. */
const HELD_MS = 8_000;

let cluster: MoveCluster;

afterEach(async () => cluster?.stop());

test('slots that nobody serves while a master and its replica hang are waited for', async () => {
  if (MIGRATE === undefined) throw new Error('no release');
  cluster = await MoveCluster.start({ release: MIGRATE.release(), nodeTimeoutMs: NODE_TIMEOUT_MS });
  const client = cluster.connect();
  try {
    const data = await MixedData.write(client, { keys: 6_000 });
    const id = (await cluster.begin('rebalance', '--weights', 's1=4', '--rate', '200kb/s')) ?? '';
    expect(await cluster.untilMoving(id)).toBe(true);
    const members = cluster.nodes.filter(({ shard }) => shard === 's2');
    const servers = await Promise.all(members.map((node) => serverOf(cluster, node)));
    for (const server of servers) hold(server);
    try {
      await until('people to be told what is waited for', async () => {
        const { stdout } = await cluster.stack.redrover(['op', 'show', id]);
        return stdout.includes('It may pass by itself: waiting until');
      });
      await delay(HELD_MS);
    } finally {
      for (const server of servers) letGo(server);
    }
    const { operation } = await cluster.endOf(id);
    expect(operation.state, operation.message).toBe('done');
    await cluster.untilWhole();
    expect(await data.findLost(client)).toEqual([]);
  } finally {
    client.disconnect();
  }
});
