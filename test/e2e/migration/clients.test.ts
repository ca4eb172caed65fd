/** What clients notice of slots that are on their way: redirections, which every cluster client follows, and no more. */
import type { MoveEngine } from '@redrover/core';
import { afterEach, describe, expect, test, vi } from 'vitest';

import { areCampaignsWanted } from '../../support/migration/campaign-size.ts';
import { engineCases } from '../../support/engines.ts';
import { MixedData } from '../../support/migration/mixed-data.ts';
import { MoveCluster } from '../../support/migration/move-cluster.ts';
import { startPairProbe } from '../../support/migration/pair-probe.ts';

// Clusters are created, filled and read back, on machines that do other things as well.
vi.setConfig({ testTimeout: 300_000 });

const REDIRECTIONS = new Set(['ok', 'ASK', 'MOVED', 'TRYAGAIN']);

/** On the others nothing is half way that a client could meet: a longer run looks at them too. */
const ENGINES: readonly MoveEngine[] = areCampaignsWanted()
  ? ['migrate', 'redis-atomic', 'valkey-atomic']
  : ['migrate'];
const KEYS = areCampaignsWanted() ? 6_000 : 2_000;
const MOVES = ['s1=5', 's2=4', 's3=3'].slice(0, areCampaignsWanted() ? 3 : 2);

for (const { title, isMissing, release } of engineCases(ENGINES)) {
  describe.skipIf(isMissing)(`on ${title}`, () => {
    let cluster: MoveCluster;

    afterEach(async () => cluster?.stop());

    test('an application sees no error, and keys of one hash tag stay together', async () => {
      cluster = await MoveCluster.start({ release: release(), nodeTimeoutMs: 5_000 });
      const client = cluster.connect();
      const data = await MixedData.write(client, { keys: KEYS });
      const writer = await cluster.write({ prefix: 'calm' });
      const probe = await startPairProbe(cluster);
      try {
        for (const weights of MOVES) {
          const id = await cluster.begin('rebalance', '--weights', weights);
          const { operation } = await cluster.endOf(id ?? '');
          expect(operation.state, operation.message).toBe('done');
        }
        const report = await writer.stop();
        expect(report).toMatchObject({ errors: [], misses: [], lost: [], unread: 0 });
        expect(report.acknowledged).toBeGreaterThan(1_000);
        const answers = await probe.stop();
        // It has met slots of other nodes: else this would prove nothing.
        expect(answers.get('MOVED')).toBeGreaterThan(0);
        expect([...answers.keys()].filter((kind) => !REDIRECTIONS.has(kind))).toEqual([]);
        expect(await data.findLost(client)).toEqual([]);
        await cluster.untilWhole();
      } finally {
        await probe.stop();
        writer.kill();
        client.disconnect();
      }
    });
  });
}
