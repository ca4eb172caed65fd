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

const NODE_TIMEOUT_MS = 2_000;
const LOAD = { lanes: 6, ratePerSecond: 120 };
const FAILOVER_TIMEOUT_MS = 60_000;

describe.skipIf(reason !== '')('masters that are killed one after another', () => {
  let lab: Lab;
  let cluster: ClusterInLab;
  let witness: RedisWitness;
  const dead: PlannedNode[] = [];
  const figures: string[] = [];

  beforeAll(async () => {
    // A host for each node, so that an agent that must not restart one node is missed by no other.
    lab = await Lab.start({ hosts: 6 });
    cluster = await ClusterInLab.create(lab, { name: 'kill', nodeTimeoutMs: NODE_TIMEOUT_MS });
    witness = await RedisWitness.of(cluster);
  });

  afterAll(async () => {
    await lab?.stop();
    console.log(`not writable, at a node timeout of ${NODE_TIMEOUT_MS} ms: ${figures.join('; ')}`);
  });

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
    const client = await LiveClient.start(lab, 'kill', { prefix: 'back', ...LOAD });
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
    figures.push(`restart by the agent ${Math.round(report.longestGapMs)} ms`);
    expect(report).toMatchObject({ lostCount: 0, unread: 0, readMisses: [] });
  });

  test('killed for good, its replica takes over and writing goes on; so with a second', async () => {
    const client = await LiveClient.start(lab, 'kill', { prefix: 'killed', ...LOAD });
    for (const shard of ['s1', 's2']) {
      const mark = client.mark();
      await failOver(shard);
      await client.writesAgain();
      const { gapMs } = await client.gapSince(mark);
      figures.push(`failover of ${shard} ${Math.round(gapMs)} ms`);
    }
    expect(await witness.mastersSeenBy(anyone())).toHaveLength(3);
    const { lostCount, unread } = await client.stop();
    figures.push(`${lostCount} acknowledged writes lost by the two`);
    // Replication is asynchronous: of each lane, what was on its way at the moment of a kill.
    expect(lostCount).toBeLessThanOrEqual(2 * LOAD.lanes);
    expect(unread).toBe(0);
  });

  test('with a third, slots are lost: Redrover says which, why, and what brings them back', async () => {
    const client = await LiveClient.start(lab, 'kill', { prefix: 'loss', ...LOAD });
    await client.writesAgain();
    const last = await masterOf('s1');
    const former = witness.membersOf('s1').find((node) => node !== last) ?? fail('no other member');
    await killForGood(last);
    await witness.untilState(living(), 'fail');

    await expectAdvice(last, former);
    const shown = await lab.redrover(['cluster', 'show', 'kill']);
    expect(shown.stdout).toContain('kill: down');

    // Against the advice: its data is of before the first failover, so it must not be let in.
    await revive(former);
    await witness.untilRole([former], 'replica');
    await witness.untilState(living(), 'fail');
    await expectAdvice(last, former);

    await revive(last);
    await witness.untilState(living(), 'ok');
    await client.writesAgain();
    while (dead[0] !== undefined) await revive(dead[0]);
    await lab.waitForHosts();
    await witness.untilHealthy();
    expect(await client.stop()).toMatchObject({ lostCount: 0, unread: 0, readMisses: [] });
  });

  test('repaired, everything is as it was planned', async () => {
    await cluster.repair();
    await witness.untilRolesAreHome();
    await cluster.whole();
    expect(await masterOf('s1')).toMatchObject({ preferredRole: 'master' });
  });

  /** Waits until Redrover has seen the loss; what it says then must be right. */
  async function expectAdvice(last: PlannedNode, former: PlannedNode): Promise<void> {
    const finding = await until('the loss is found', async () => {
      const found = await cluster.finding('shard-without-master', 's1');
      return found.severity === 'critical' && found;
    });
    expect(finding.message).toBe('Slots 0-5460 of shard s1 (5461) are served by nobody.');
    const toldOf = (node: PlannedNode) =>
      finding.evidence.find((line) => line.startsWith(node.key));
    expect(toldOf(last)).toContain(`their last master: host ${last.host} is`);
    expect(toldOf(last)).toContain('failed in the view of');
    expect(toldOf(former)).toContain('not their last master');
    expect(finding.remedy).toContain(`Bring ${last.key} back first, it has every write.`);
    expect(finding.remedy).toContain(`Start host ${last.host}, or its agent`);
    const { exitCode, stdout } = await lab.redrover(['cluster', 'check', 'kill']);
    expect(exitCode).toBe(2);
    for (const line of [finding.message, ...finding.evidence, finding.remedy]) {
      expect(withoutTimes(stdout)).toContain(withoutTimes(line));
    }
  }

  /** What the advice says: its agent does the rest. */
  async function revive(node: PlannedNode): Promise<void> {
    await lab.startAgent(node.host);
    dead.splice(dead.indexOf(node), 1);
    await until(`${node.key} runs`, async () => lab.findNode(node.host, node.port));
    await lab.waitForHosts([node.host]);
  }
});

/** Seconds go on between two looks. */
function withoutTimes(text: string): string {
  return text.replaceAll(/ for \d+ s/g, '');
}

function idsAndMasters(nodes: readonly { id: string; masterId: string }[]): string[] {
  return nodes.map(({ id, masterId }) => `${id} ${masterId}`).toSorted();
}

function fail(why: string): never {
  throw new Error(why);
}
