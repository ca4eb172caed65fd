/** Operations that are told to rest or to end while slots are on their way. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { engineCases } from '../../support/engines.ts';
import { MixedData } from '../../support/migration/mixed-data.ts';
import { MoveCluster } from '../../support/migration/move-cluster.ts';
import type { ClusterTruth } from '../../support/migration/raw-nodes.ts';
import { until } from '../../support/until.ts';

// Clusters are created, filled and read back, on machines that do other things as well.
vi.setConfig({ testTimeout: 300_000 });

// A second is what is promised; a machine that runs other tests beside gets some more.
const REST_WITHIN_MS = 4_000;

interface CancelledJson {
  readonly state: string;
  readonly moved: { readonly slots: number } | null;
}

function openSlots({ nodes }: ClusterTruth): readonly string[] {
  return nodes.flatMap((node) => node.openSlots);
}

function ownersOf({ nodes }: ClusterTruth): readonly string[] {
  return nodes[0]?.owners ?? [];
}

function countDifferent(a: readonly string[], b: readonly string[]): number {
  return a.filter((owner, slot) => owner !== b[slot]).length;
}

describe.each(engineCases(['migrate']))('$title', ({ release }) => {
  let cluster: MoveCluster;

  beforeEach(async () => {
    cluster = await MoveCluster.start({ release: release(), nodeTimeoutMs: 5_000 });
  });

  afterEach(async () => cluster?.stop());

  test('rests within moments with nothing half open, goes on, and can be given up', async () => {
    const client = cluster.connect();
    const writer = await cluster.write({ prefix: 'calm' });
    try {
      const data = await MixedData.write(client, { keys: 6_000 });
      const before = ownersOf(await cluster.untilWhole());
      const id = (await cluster.begin('rebalance', '--weights', 's1=4', '--rate', '300kb/s')) ?? '';
      expect(await cluster.untilMoving(id)).toBe(true);
      await until('the first slots to be moved', async () => {
        return countDifferent(before, ownersOf(await cluster.truth())) > 0;
      });

      const paused = await cluster.stack.redrover(['op', 'pause', id]);
      expect(paused, paused.stderr).toMatchObject({ exitCode: 0 });
      const resting = await until(
        'nothing to be open',
        async () => {
          const truth = await cluster.truth();
          return openSlots(truth).length === 0 && truth;
        },
        REST_WITHIN_MS,
      );
      expect((await cluster.details(id)).operation.state).toBe('paused');
      // Some seconds of a client's life later nothing has moved.
      await writer.writesAgain();
      await writer.writesAgain();
      const later = await cluster.untilWhole();
      expect(countDifferent(ownersOf(resting), ownersOf(later))).toBe(0);

      const resumed = await cluster.stack.redrover(['op', 'resume', id]);
      expect(resumed, resumed.stderr).toMatchObject({ exitCode: 0 });
      await until('more slots to be moved', async () => {
        return countDifferent(ownersOf(later), ownersOf(await cluster.truth())) > 0;
      });

      const cancelled = await cluster.stack.redroverJson<CancelledJson>(['op', 'cancel', id]);
      expect(cancelled.state).toBe('cancelled');
      const after = await cluster.untilWhole();
      const moved = countDifferent(before, ownersOf(after));
      expect(moved).toBeGreaterThan(0);
      expect(cancelled.moved?.slots).toBe(moved);

      const repair = await cluster.begin('repair');
      expect((await cluster.endOf(repair ?? '')).operation.state).toBe('done');
      const report = await writer.stop();
      expect(report).toMatchObject({ errors: [], misses: [], lost: [], unread: 0 });
      expect(await data.findLost(client)).toEqual([]);
    } finally {
      writer.kill();
      client.disconnect();
    }
  });
});

for (const { title, isMissing, release } of engineCases(['redis-atomic', 'valkey-atomic'])) {
  describe.skipIf(isMissing)(`on ${title}`, () => {
    let cluster: MoveCluster;

    afterEach(async () => cluster?.stop());

    test('is cancelled at any moment with every slot whole', async () => {
      cluster = await MoveCluster.start({ release: release(), nodeTimeoutMs: 5_000 });
      const client = cluster.connect();
      const writer = await cluster.write({ prefix: 'calm' });
      try {
        const data = await MixedData.write(client, { keys: 6_000 });
        for (const weights of ['s1=4', 's2=4', 's3=4']) {
          const id = (await cluster.begin('rebalance', '--weights', weights)) ?? '';
          await cluster.untilMoving(id);
          // It may have been done just before.
          await cluster.stack.redrover(['op', 'cancel', id]);
          const { operation } = await cluster.endOf(id);
          expect(['cancelled', 'done']).toContain(operation.state);
          await cluster.untilWhole();
        }
        const report = await writer.stop();
        expect(report).toMatchObject({ errors: [], misses: [], lost: [], unread: 0 });
        expect(await data.findLost(client)).toEqual([]);
      } finally {
        writer.kill();
        client.disconnect();
      }
    });
  });
}
