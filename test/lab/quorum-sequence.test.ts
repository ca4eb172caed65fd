/**
 * The sequence that kills a plain cluster: a host is cut off and comes back, its masters stay where
 * they failed over to, and the next host takes the majority with it. Repairing in between prevents
 * that, asked for or not.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { ClusterInLab } from './cluster-in-lab.ts';
import { Lab } from './lab.ts';
import { LiveClient } from './live-client.ts';
import { RedisWitness } from './redis-witness.ts';
import { reasonToSkipLab } from './skip-reason.ts';

const reason = await reasonToSkipLab();

// 6 + 6 on 3 hosts: 2 masters each, so that one host may go, and 4 of 6 are needed for a failover.
const SPEC = { name: 'quorum', shards: 6, nodeTimeoutMs: 2_000, repairQuietMs: 5_000 };
const LOAD = { lanes: 6, ratePerSecond: 120 };
const RECOVERY_TIMEOUT_MS = 60_000;

interface WhatIfJson {
  readonly outcomes: readonly {
    readonly survived: boolean;
    readonly quorumKept: boolean;
    readonly mastersLeft: number;
    readonly mastersNeeded: number;
    readonly lostSlotCount: number;
  }[];
}

describe.skipIf(reason !== '')('two hosts of three, cut off one after the other', () => {
  let lab: Lab;
  let cluster: ClusterInLab;
  let witness: RedisWitness;
  let client: LiveClient | undefined;
  const figures: string[] = [];

  beforeAll(async () => {
    lab = await Lab.start({ hosts: 3 });
    cluster = await ClusterInLab.create(lab, SPEC);
    witness = await RedisWitness.of(cluster);
  });

  afterAll(async () => {
    await lab?.stop();
    console.log(`at a node timeout of ${SPEC.nodeTimeoutMs} ms: ${figures.join('; ')}`);
  });

  afterEach(() => client?.kill());

  test('without repair, the second one takes the majority, as what-if has said', async () => {
    expect(await whatIf('h2')).toMatchObject({ survived: true, mastersLeft: 4 });
    client = await LiveClient.start(lab, SPEC.name, { ...LOAD, prefix: 'plain' });
    await lab.crash('h1');
    await untilNoMasterIsOn('h1');
    await witness.untilState(witness.nodesOn('h2', 'h3'), 'ok');
    await client.writesAgain();
    await lab.boot('h1');
    await lab.waitForHosts();
    await witness.untilHealthy();
    expect(await mastersByHost('h1')).toEqual({ h2: 3, h3: 3 });

    const forecast = { survived: false, quorumKept: false, mastersLeft: 3, mastersNeeded: 4 };
    expect(await whatIf('h2')).toMatchObject({ ...forecast, lostSlotCount: 0 });
    const risk = await cluster.finding('host-loss-loses-quorum', 'h2');
    expect(risk.remedy).toContain(`redrover cluster repair ${SPEC.name}`);

    await lab.crash('h2');
    await witness.untilState(witness.nodesOn('h1', 'h3'), 'fail');
    const loss = await until('Redrover says what is missing', async () => {
      const found = await cluster.finding('shard-without-master');
      return found.remedy.includes('only 3 of 6 masters can vote and 4 are needed') && found;
    });
    expect(loss.severity).toBe('critical');
    expect(loss.remedy).toContain('Start host h2');
    // Nobody takes over: a majority is needed even to agree that a master has failed.
    expect(await mastersByHost('h3')).toEqual({ h2: 3, h3: 3 });

    await lab.boot('h2');
    await lab.waitForHosts();
    await client.writesAgain();
    await witness.untilHealthy();
    expect(await mastersByHost('h1')).toEqual({ h2: 3, h3: 3 });
    const { lostCount, unread } = await client.stop();
    expect(lostCount).toBeLessThanOrEqual(LOAD.lanes);
    expect(unread).toBe(0);
  });

  test('with `cluster repair` in between, the cluster outlives it', async () => {
    // All hosts are back and the masters are on two of them, as the first test has left it.
    expect(await mastersByHost('h1')).toEqual({ h2: 3, h3: 3 });
    client = await LiveClient.start(lab, SPEC.name, { ...LOAD, prefix: 'repaired' });
    await cluster.repair();
    expect(await mastersByHost('h1')).toEqual({ h1: 2, h2: 2, h3: 2 });
    await witness.untilRolesAreHome();
    await cluster.whole();
    const { longestGapMs, lostCount, unread } = await client.stop();
    figures.push(`repair by hand, no write of a lane for ${Math.round(longestGapMs)} ms`);
    expect({ lostCount, unread }).toEqual({ lostCount: 0, unread: 0 });

    await expectToOutlive('h2', 'by-hand');
    expect(await mastersByHost('h1')).not.toHaveProperty('h2');
  });

  test('with `repair: auto` nobody has to ask for it', async () => {
    // Again the masters are on two hosts only, as the second test has left it.
    const before = new Set((await cluster.operations()).map(({ id }) => id));
    const spec = await lab.writeSpec({ ...SPEC, repair: 'auto' });
    const applied = await lab.redrover(['cluster', 'apply', '-f', spec, '--yes']);
    expect(applied, applied.stderr).toMatchObject({ exitCode: 0 });
    await witness.untilRolesAreHome();
    expect(await mastersByHost('h1')).toEqual({ h1: 2, h2: 2, h3: 2 });
    const repair = await until('the repair has ended', async () => {
      const all = (await cluster.operations()).filter(({ id }) => !before.has(id));
      return all.find(({ kind, state }) => kind === 'repair' && state === 'done');
    });
    expect(repair.automatic).toBe(true);

    await expectToOutlive('h3', 'by-itself');
  });

  async function whatIf(host: string): Promise<WhatIfJson['outcomes'][number]> {
    const args = ['cluster', 'what-if', SPEC.name, '--host', host];
    const { outcomes } = await lab.redroverJson<WhatIfJson>(args);
    const [outcome] = outcomes;
    if (outcome === undefined) throw new Error(`what-if says nothing of ${host}`);
    return outcome;
  }

  /** In the view of a node on a host that is up. */
  async function mastersByHost(witnessed: string): Promise<Readonly<Record<string, number>>> {
    const [node] = witness.nodesOn(witnessed);
    if (node === undefined) throw new Error(`no node on ${witnessed}`);
    return witness.mastersByHost(node);
  }

  async function untilNoMasterIsOn(host: string): Promise<void> {
    const other = lab.hostNames.find((each) => each !== host) ?? '';
    await until(
      `no master is on ${host}`,
      async () => !(host in (await mastersByHost(other))),
      RECOVERY_TIMEOUT_MS,
    );
  }

  /** Cut off, as a switch does it: the host lives on, and its masters do not know of any other. */
  async function expectToOutlive(host: string, prefix: string): Promise<void> {
    expect(await whatIf(host)).toMatchObject({ survived: true, mastersLeft: 4 });
    client = await LiveClient.start(lab, SPEC.name, { ...LOAD, prefix });
    const mark = client.mark();
    await lab.isolate(host);
    await untilNoMasterIsOn(host);
    const others = lab.hostNames.filter((each) => each !== host);
    await witness.untilState(witness.nodesOn(...others), 'ok');
    await client.writesAgain();
    const { gapMs } = await client.gapSince(mark);
    await lab.heal(host);
    await lab.waitForHosts();
    await witness.untilHealthy();
    const { lostCount, unread } = await client.stop();
    figures.push(`${host} cut off, no write for ${Math.round(gapMs)} ms, ${lostCount} lost`);
    expect(unread).toBe(0);
  }
});
