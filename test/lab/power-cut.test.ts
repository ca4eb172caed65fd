/** Power that fails, on one host and on all: what was not synced to a disk is gone. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { ClusterInLab } from './cluster-in-lab.ts';
import { Lab } from './lab.ts';
import { reasonToSkipLab } from './skip-reason.ts';

const reason = await reasonToSkipLab();

describe.skipIf(reason !== '')('a power cut', () => {
  let lab: Lab;
  let cluster: ClusterInLab;

  beforeAll(async () => {
    lab = await Lab.start({ hosts: 3, durability: true });
    cluster = await ClusterInLab.create(lab, { name: 'power', nodeTimeoutMs: 5_000 });
  });

  afterEach(() => cluster.endClients());
  afterAll(async () => lab?.stop());

  test('of one host costs no write that a replica has confirmed', async () => {
    const master = await cluster.nodeOn('h1', 'master');
    const client = await cluster.carefulClient('one');
    const lost = await lab.powerCut('h1');
    // The cut was a real one: a log is never synced, so its last lines are gone at least.
    expect(lost.map(({ path }) => path)).toContain(`/usr/local/redis/${master.port}/redis.log`);
    await lab.boot('h1');
    // At once it could overwrite what its replica had confirmed and its own disk has lost.
    const held = await cluster.finding('node-held', master.key);
    expect(held.message).toContain('the last second of the AOF may be missing');
    await cluster.healed();
    expect(await cluster.ask(master, 'role')).toMatch(/^slave/);
    await client.writesAgain();
    expect(await client.stop()).toMatchObject({ lostCount: 0, unread: 0 });
    await cluster.repair();
    await cluster.whole();
  });

  test('of all hosts at once costs no write that was synced', async () => {
    const ids = (await cluster.nodes()).map(({ key, id }) => `${key} ${id}`).toSorted();
    for (const node of await cluster.nodes()) {
      expect(await cluster.ask(node, 'config', 'set', 'appendfsync', 'always')).toBe('OK');
    }
    const client = await cluster.client('all');
    await Promise.all(lab.hostNames.map(async (host) => lab.powerCut(host)));
    await Promise.all(lab.hostNames.map(async (host) => lab.boot(host)));
    await until(
      'nobody took over, and the nodes go on with what their disks hold',
      async () => {
        const nodes = await cluster.nodes();
        return nodes.every(({ state }) => state === 'running');
      },
      60_000,
    );
    await cluster.healed();
    await client.writesAgain();
    expect(await client.stop()).toMatchObject({ lostCount: 0, unread: 0 });
    expect((await cluster.nodes()).map(({ key, id }) => `${key} ${id}`).toSorted()).toEqual(ids);
  });
});
