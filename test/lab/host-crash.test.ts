/**
 * Each host crashes in turn, and each time everything is as before in the end, without anybody's
 * help: Redis fails over, the host's agent starts what belongs there, Redrover brings roles home.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { ClusterInLab } from './cluster-in-lab.ts';
import { Lab } from './lab.ts';
import { LiveClient } from './live-client.ts';
import { RedisWitness } from './redis-witness.ts';
import { reasonToSkipLab } from './skip-reason.ts';

const reason = await reasonToSkipLab();

const NODE_TIMEOUT_MS = 2_000;
const SPEC = {
  name: 'crash',
  nodeTimeoutMs: NODE_TIMEOUT_MS,
  repair: 'auto',
  // Quick enough for a test; the default of five minutes is for networks that flap.
  repairQuietMs: 5_000,
};
// What Redis promises is the timeout and 3 s. A loaded machine may need more without a defect.
const WRITABLE_TIMEOUT_MS = 5 * (NODE_TIMEOUT_MS + 3_000);
const LOAD = { lanes: 6, ratePerSecond: 120 };

describe.skipIf(reason !== '')('hosts that crash one after another', () => {
  let lab: Lab;
  let cluster: ClusterInLab;
  let witness: RedisWitness;
  const figures: string[] = [];

  beforeAll(async () => {
    lab = await Lab.start({ hosts: 3 });
    cluster = await ClusterInLab.create(lab, SPEC);
    witness = await RedisWitness.of(cluster);
  });

  afterAll(async () => {
    await lab?.stop();
    console.log(`node timeout ${NODE_TIMEOUT_MS} ms; ${figures.join('; ')}`);
  });

  test.each(['h1', 'h2', 'h3'])('%s is written around, and comes home by itself', async (host) => {
    const client = await LiveClient.start(lab, SPEC.name, { ...LOAD, prefix: `any-${host}` });
    // Shards whose other member is on the host take none of these until it is back.
    const careful = await LiveClient.start(lab, SPEC.name, {
      ...LOAD,
      prefix: `safe-${host}`,
      waitReplicas: 1,
    });
    try {
      const mark = client.mark();
      await lab.crash(host);
      const ok = untilOthersServe(host).then(() => Date.now() - mark);
      await Promise.all([client.writesAgain(WRITABLE_TIMEOUT_MS), ok]);
      const { gapMs } = await client.gapSince(mark);
      figures.push(`${host}: ok after ${await ok} ms, no write for ${Math.round(gapMs)} ms`);

      await lab.boot(host);
      await lab.waitForHosts();
      await witness.untilHealthy();
      await witness.untilRolesAreHome();
      await cluster.whole();
      await expectAutomaticRepair();

      await careful.writesAgain();
      const { lostCount, unread } = await client.stop();
      figures.push(`${lostCount} writes without WAIT lost`);
      // Replication is asynchronous: of each lane, what was on its way at the moment of the crash.
      expect(lostCount).toBeLessThanOrEqual(LOAD.lanes);
      expect(unread).toBe(0);
      expect(await careful.stop()).toMatchObject({ lostCount: 0, unread: 0 });
    } finally {
      client.kill();
      careful.kill();
    }
  });

  /** By the word of the nodes that are left: all slots have masters there, and all say ok. */
  async function untilOthersServe(host: string): Promise<void> {
    const left = witness.nodes.filter((node) => node.host !== host);
    const [node] = left;
    if (node === undefined) throw new Error('no node is left');
    await until(
      `nobody waits for a master on ${host}`,
      async () => !(host in (await witness.mastersByHost(node))),
      WRITABLE_TIMEOUT_MS,
    );
    await witness.untilState(left, 'ok');
  }

  async function expectAutomaticRepair(): Promise<void> {
    const repairs = (await cluster.operations()).filter(({ kind }) => kind === 'repair');
    expect(repairs.length).toBeGreaterThan(0);
    for (const repair of repairs) expect(repair).toMatchObject({ automatic: true, state: 'done' });
  }
});
