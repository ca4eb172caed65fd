/** A host whose disk is full: who cannot write, what Redrover says, and the two ways out. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { ClusterInLab } from './cluster-in-lab.ts';
import { Lab } from './lab.ts';
import type { LiveClient } from './live-client.ts';
import { reasonToSkipLab } from './skip-reason.ts';

const reason = await reasonToSkipLab();

// Of a lane that writes ten times a second: it does not write any more.
const SILENT_MS = 3_000;
const LANES_OF_S1 = [0, 1];

describe.skipIf(reason !== '')('a full disk', () => {
  let lab: Lab;
  let cluster: ClusterInLab;

  beforeAll(async () => {
    lab = await Lab.start({ hosts: 3 });
    cluster = await ClusterInLab.create(lab, { name: 'full', nodeTimeoutMs: 2_000 });
  });

  afterEach(async () => {
    cluster.endClients();
    await lab.freeDisk('h1');
  });
  afterAll(async () => lab?.stop());

  async function silentLanes(client: LiveClient): Promise<number[]> {
    const { gaps } = await client.report();
    const silent = gaps.filter(({ fromMs, toMs }) => toMs - fromMs >= SILENT_MS);
    return [...new Set(silent.map(({ lane }) => lane))].toSorted();
  }

  test('stops the writes of its own masters alone, and all is well when there is room', async () => {
    const master = await cluster.nodeOn('h1', 'master');
    expect(master.shard).toBe('s1');
    const processes = await cluster.processes();
    const client = await cluster.client('room');
    await lab.fillDisk('h1');
    const said = await cluster.finding('persistence-failing', master.key);
    expect(said).toMatchObject({ severity: 'critical' });
    expect(said.remedy).toMatch(/disk space.*h1/);
    await until('the slots of h1 are not written', async () => {
      return (await silentLanes(client)).length >= LANES_OF_S1.length;
    });
    expect(await silentLanes(client)).toEqual(LANES_OF_S1);
    const { errors } = await client.report();
    expect(errors['ResponseError']?.last).toContain('No space left on device');
    await lab.waitForHosts();
    await lab.freeDisk('h1');
    await client.writesAgain();
    await cluster.whole();
    const after = await cluster.processes();
    // A replica of Redis 7 that cannot write ends itself; a master stays, with all it has.
    expect(after[master.key]).toBe(processes[master.key]);
    expect(await client.stop()).toMatchObject({ lostCount: 0, unread: 0, readMisses: [] });
  });

  test('is nobody’s trouble any more once its host is drained', async () => {
    const client = await cluster.client('drain');
    await lab.fillDisk('h1');
    await cluster.finding('persistence-failing', 'h1:6379');
    // Its replica ends and starts again and again: a plan may be old before it is approved.
    await cluster.drain('h1', '--detach');
    await client.writesAgain();
    // The nodes cannot be stopped before that can be written down; it says so instead of going on.
    const drain = await until('the drain ends', async () => {
      return (await cluster.operations()).find(({ state }) => state === 'failed');
    });
    expect(drain.message).toContain('the disk is full; free some space');
    await lab.freeDisk('h1');
    await cluster.repair();
    expect(Object.keys(await cluster.processes()).filter((key) => key.startsWith('h1:'))).toEqual(
      [],
    );
    await cluster.undrain('h1');
    await cluster.whole();
    expect(await client.stop()).toMatchObject({ lostCount: 0, unread: 0, readMisses: [] });
  });
});
