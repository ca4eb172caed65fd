/** That the outside client sees what a cluster does, and tells lost writes from kept ones. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Lab } from './lab.ts';
import { LiveClient } from './live-client.ts';
import { reasonToSkipLab } from './skip-reason.ts';

const reason = await reasonToSkipLab();

describe.skipIf(reason !== '')('the live client', () => {
  let lab: Lab;
  let password = '';

  beforeAll(async () => {
    lab = await Lab.start({ hosts: 3 });
    await lab.createCluster({ name: 'live' });
    password = (await lab.credentials('live')).password;
  });

  afterAll(async () => lab?.stop());

  test('writes everywhere and loses nothing while nothing happens', async () => {
    const client = await LiveClient.start(lab, 'live', { prefix: 'calm' });
    await client.writesAgain();
    const report = await client.stop();
    expect(report).toMatchObject({ lostCount: 0, unread: 0, readMisses: [], lanesWritten: 8 });
    expect(report.acknowledged).toBeGreaterThan(20);
  });

  test('sees a master crash as a gap of its slots, and writing go on after it', async () => {
    const client = await LiveClient.start(lab, 'live', { prefix: 'crash', waitReplicas: 1 });
    const mark = client.mark();
    await lab.crash('h1');
    // One master of three is gone, so the two others must still find a replica to wait for.
    await lab.boot('h1');
    await client.writesAgain();
    const { gapMs } = await client.gapSince(mark);
    const report = await client.stop();
    // Nobody takes less to start a host, its agent and its node.
    expect(gapMs).toBeGreaterThan(500);
    expect(report.longestGapMs).toBeGreaterThanOrEqual(gapMs - 1);
    expect(Object.keys(report.errors).length).toBeGreaterThan(0);
    expect(report).toMatchObject({ lostCount: 0, unread: 0 });
  });

  test('names the acknowledged writes that are gone', async () => {
    const client = await LiveClient.start(lab, 'live', { prefix: 'lost' });
    await client.writesAgain();
    const nodes = await lab.redroverJson<{ nodes: { host: string; port: number }[] }>([
      'cluster',
      'show',
      'live',
    ]);
    let deleted = 0;
    for (const { host, port } of nodes.nodes) {
      const { stdout } = await lab.redisCli(host, port, ['--raw', 'keys', 'lost:*:3'], password);
      for (const key of stdout.split('\n').filter((each) => each.startsWith('lost:'))) {
        const answer = await lab.redisCli(host, port, ['del', key], password);
        if (answer.stdout === '1') deleted += 1;
      }
    }
    expect(deleted).toBeGreaterThan(0);
    const report = await client.stop();
    expect(report.lostCount).toBe(deleted);
    expect(report.lost[0]).toMatchObject({ found: null });
  });
});
