/** Keys reach a target that wants a password, of whatever release, as its user `default`. */
import { afterEach, describe, expect, test } from 'vitest';

import { engineCases } from '../../support/engines.ts';
import { BareCluster } from '../../support/migration/bare-cluster.ts';
import { StagedMove } from '../../support/migration/staged-move.ts';

type Name = 'a' | 'b' | 'c';

/** Of tag `cv`. */
const SLOT = 40;
const KEYS = 20;

for (const { title, isMissing, release } of engineCases()) {
  describe.skipIf(isMissing)(`on ${title}`, () => {
    let cluster: BareCluster<Name>;

    afterEach(async () => cluster?.stop());

    test('key by key, with one password for all', async () => {
      cluster = await BareCluster.start<Name>({ release: release(), masters: ['a', 'b', 'c'] });
      for (let n = 0; n < KEYS; n += 1) await cluster.call('a', 'SET', `{cv}${n}`, 'value');
      const move = new StagedMove(cluster.step('a', 'b', SLOT));
      expect(await move.outcome).toMatchObject({
        ending: 'done',
        report: { slotsMoved: 1, keysMoved: KEYS, quarantined: [] },
      });
      expect(await cluster.count('b', SLOT)).toBe(KEYS);
      // One that has another password takes none, and whoever asked is told.
      await cluster.call('a', 'CONFIG', 'SET', 'requirepass', 'another');
      const refused = new StagedMove(cluster.step('b', 'a', SLOT));
      expect(await refused.outcome).toMatchObject({
        ending: 'failed',
        report: { slotsMoved: 0, keysMoved: 0 },
      });
    });
  });
}
