/**
 * Campaign A: controller, agents, movers, connections, and servers that are back before anybody is elected in
 * their place. Not one acknowledged write may be lost by it, and no person is needed.
 */
import { afterEach, describe, expect, test } from 'vitest';

import { engineCases } from '../../support/engines.ts';
import {
  areCampaignsWanted,
  chooseSeed,
  killsWanted,
  timeoutFor,
} from '../../support/migration/campaign-size.ts';
import { keepFiles, runCampaign, summarizeCampaign } from '../../support/migration/campaign.ts';
import { MoveCluster } from '../../support/migration/move-cluster.ts';
import { createRandom } from '../../support/migration/random.ts';
import { returningKills } from '../../support/migration/returning-kills.ts';

/** Nobody is elected in so short a time as a server needs to be started again. */
const NODE_TIMEOUT_MS = 45_000;
const KILLS = killsWanted(8);

/** Also the per-key engine on a release that has a better one. */
const CASES = [
  ...engineCases().map((each) => ({ ...each, flags: [] as readonly string[] })),
  ...engineCases(['redis-atomic']).map((each) => ({
    ...each,
    title: `${each.title} by MIGRATE`,
    flags: ['--engine', 'migrate'],
  })),
];

for (const { title, isMissing, release, flags } of CASES) {
  describe.skipIf(isMissing || !areCampaignsWanted())(`on ${title}`, () => {
    let cluster: MoveCluster;

    afterEach(async () => cluster?.stop());

    test(
      'loses no acknowledged write, whatever dies and comes back',
      async () => {
        const seed = chooseSeed();
        const random = createRandom(seed);
        cluster = await MoveCluster.start({
          release: release(),
          nodeTimeoutMs: NODE_TIMEOUT_MS,
          // With `everysec` a server may acknowledge a write up to two seconds before it hands it to the
          // kernel, while an fsync takes its time (redis.conf, appendfsync): Redis' own loss, not ours.
          config: { appendfsync: 'always' },
        });
        const report = await runCampaign({
          cluster,
          random,
          seed,
          kills: KILLS,
          counts: 'acknowledged',
          move: flags,
          mixedKeys: 12_000,
          kill: returningKills(cluster, random),
        });
        console.log(`${title}, seed ${seed}: ${summarizeCampaign(report)}`);
        try {
          expect(report.troubles).toEqual([]);
          expect(report.writer).toMatchObject({ lost: [], misses: [], unread: 0 });
          expect(report.lostData).toEqual([]);
          expect(report.strangeErrors).toEqual([]);
          expect(report.operations.map(({ operation }) => operation.state)).toEqual(
            report.operations.map(() => 'done'),
          );
        } catch (error) {
          keepFiles(cluster);
          throw new Error(`seed ${seed}`, { cause: error });
        }
      },
      timeoutFor(KILLS),
    );
  });
}
