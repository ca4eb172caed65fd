/**
 * Campaign B: sources and targets that are away until their replica was elected. A write counts after WAIT 1.
 * By MIGRATE, keys that had reached a target and not yet its replica may die with it: the product counts and
 * reports them. Before Valkey 8 the replica that takes a source's place knows nothing of its open slots, and clients
 * may write keys anew there that the target has: those are left to a person, both copies. Nothing else may be lost.
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
import { replacedKills } from '../../support/migration/replaced-kills.ts';

const NODE_TIMEOUT_MS = 1_500;
const KILLS = killsWanted(3);

/** Also the per-key engine on a release that has a better one. */
const CASES = [
  ...engineCases().map((each) => ({ ...each, flags: [] as readonly string[] })),
  ...engineCases(['redis-atomic']).map((each) => ({
    ...each,
    title: `${each.title} by MIGRATE`,
    engine: 'migrate' as const,
    flags: ['--engine', 'migrate'],
  })),
];

for (const { title, engine, isMissing, release, flags } of CASES) {
  describe.skipIf(isMissing || !areCampaignsWanted())(`on ${title}`, () => {
    let cluster: MoveCluster;

    afterEach(async () => cluster?.stop());

    test(
      'loses no write that a replica had, whoever takes the place of a dead master',
      async () => {
        const seed = chooseSeed();
        const random = createRandom(seed);
        cluster = await MoveCluster.start({ release: release(), nodeTimeoutMs: NODE_TIMEOUT_MS });
        const report = await runCampaign({
          cluster,
          random,
          seed,
          kills: KILLS,
          counts: 'replicated',
          move: flags,
          mixedKeys: 12_000,
          kill: replacedKills(cluster, random),
        });
        const lost = [
          ...report.writer.lost.map(({ key }) => key).filter((key) => !report.heldTwice.has(key)),
          ...report.lostData.map(({ key }) => key),
        ];
        const notes = report.notes.length === 0 ? '' : `; it says: ${report.notes.join('; ')}`;
        console.log(`${title}, seed ${seed}: ${summarizeCampaign(report)}${notes}`);
        try {
          expect(report.troubles).toEqual([]);
          expect(report.writer.unread).toBe(0);
          const allowed = engine === 'migrate' ? atRisk(report.notes) : 0;
          expect(lost.length, lost.join(' ')).toBeLessThanOrEqual(allowed);
          const ends = report.undecided.size === 0 ? ['done'] : ['done', 'needs-decision'];
          for (const { operation } of report.operations) {
            expect(ends, operation.message).toContain(operation.state);
          }
        } catch (error) {
          keepFiles(cluster);
          throw new Error(`seed ${seed}`, { cause: error });
        }
      },
      timeoutFor(KILLS),
    );
  });
}

/** Keys that the product says may have died with a target. */
function atRisk(notes: readonly string[]): number {
  return notes.reduce((sum, note) => sum + Number(/^up to (\d+) keys/.exec(note)?.[1] ?? 0), 0);
}
