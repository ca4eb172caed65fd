/**
 * Masters are killed one after another until slots are lost: who takes over, what Redrover says of
 * the loss, and that what it advises brings everything back.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { ClusterInLab } from './cluster-in-lab.ts';
import { Lab } from './lab.ts';
import { LiveClient } from './live-client.ts';
import { RedisWitness } from './redis-witness.ts';
import type { PlannedNode } from './redis-witness.ts';
import { reasonToSkipLab } from './skip-reason.ts';

const reason = await reasonToSkipLab();

const LANES = 6;
const FAILOVER_TIMEOUT_MS = 60_000;

describe.skipIf(reason !== '')('masters that are killed one after another', () => {
  let lab: Lab;
  let cluster: ClusterInLab;
  let witness: RedisWitness;
  const dead: PlannedNode[] = [];

  beforeAll(async () => {
    // A host for each node, so that an agent that must not restart one node is missed by no other.
    lab = await Lab.start({ hosts: 6 });
    cluster = await ClusterInLab.create(lab, { name: 'kill', nodeTimeoutMs: 2_000 });
    witness = await RedisWitness.of(cluster);
  });

  afterAll(async () => lab?.stop());

  const living = (): PlannedNode[] => witness.nodes.filter((node) => !dead.includes(node));
  const anyone = (): PlannedNode => living()[0] ?? fail('nobody is left to ask');

  /** Undefined: none is seen alive. */
  async function findMaster(shard: string): Promise<PlannedNode | undefined> {
    const masters = await witness.mastersSeenBy(anyone());
    return masters.find((master) => master.shard === shard && !dead.includes(master));
  }

  async function masterOf(shard: string): Promise<PlannedNode> {
    return (await findMaster(shard)) ?? fail(`${shard} has no master`);
  }

  /** Without its agent, which would have it back within moments. */
  async function killForGood(node: PlannedNode): Promise<void> {
    const pid = await lab.nodePid(node.host, node.port);
    await lab.killAgent(node.host);
    await lab.kill(node.host, pid);
    dead.push(node);
  }

  async function failOver(shard: string): Promise<void> {
    await killForGood(await masterOf(shard));
    await until(
      `another member of ${shard} is master`,
      async () => findMaster(shard),
      FAILOVER_TIMEOUT_MS,
    );
    await witness.untilState(living(), 'ok');
  }

  test('with its agent, a master is back at once, still master, and nothing is lost', async () => {
    const client = await LiveClient.start(lab, 'kill', { prefix: 'back', lanes: LANES });
    const victim = await masterOf('s1');
    const before = await witness.view(anyone());
    const pid = await lab.nodePid(victim.host, victim.port);
    await lab.kill(victim.host, pid);
    await until('another process in its place', async () => {
      const now = await lab.findNode(victim.host, victim.port);
      return now !== undefined && now !== pid;
    });
    await client.writesAgain();
    await witness.untilHealthy();
    expect(await masterOf('s1')).toBe(victim);
    const after = await witness.view(anyone());
    expect(idsAndMasters(after)).toEqual(idsAndMasters(before));
    const report = await client.stop();
    console.log(`restart by the agent: ${report.longestGapMs} ms`);
    expect(report).toMatchObject({ lostCount: 0, unread: 0, readMisses: [] });
  });

  test('killed for good, its replica takes over and writing goes on; so with a second', async () => {
    const client = await LiveClient.start(lab, 'kill', { prefix: 'killed', lanes: LANES });
    for (const shard of ['s1', 's2']) {
      const mark = client.mark();
      await failOver(shard);
      await client.writesAgain();
      const { gapMs } = await client.gapSince(mark);
      console.log(`${shard} was not writable for ${Math.round(gapMs)} ms`);
    }
    expect(await witness.mastersSeenBy(anyone())).toHaveLength(3);
    const { lostCount, unread } = await client.stop();
    console.log(`acknowledged writes lost by two failovers: ${lostCount}`);
    // Replication is asynchronous: of each lane, what was on its way at the moment of a kill.
    expect(lostCount).toBeLessThanOrEqual(2 * LANES);
    expect(unread).toBe(0);
  });
});

function idsAndMasters(nodes: readonly { id: string; masterId: string }[]): string[] {
  return nodes.map(({ id, masterId }) => `${id} ${masterId}`).toSorted();
}

function fail(why: string): never {
  throw new Error(why);
}
