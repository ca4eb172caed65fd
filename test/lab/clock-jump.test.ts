/**
 * Clocks that jump by an hour, on a host of Redis and on the controller's: nobody is restarted, no
 * user sees it, and what Redrover cannot do meanwhile it says, and does once the clock is right.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { ClusterInLab } from './cluster-in-lab.ts';
import { CONTROLLER, Lab } from './lab.ts';
import { reasonToSkipLab } from './skip-reason.ts';

const reason = await reasonToSkipLab();

const NODE_TIMEOUT_MS = 2_000;
const HOUR_S = 3_600;

describe.skipIf(reason !== '')('a clock that jumps', () => {
  let lab: Lab;
  let cluster: ClusterInLab;

  beforeAll(async () => {
    lab = await Lab.start({ hosts: 3, clock: true });
    cluster = await ClusterInLab.create(lab, { name: 'clock', nodeTimeoutMs: NODE_TIMEOUT_MS });
    await cluster.whole();
  });

  afterEach(async () => {
    cluster.endClients();
    for (const host of ['h1', CONTROLLER]) await lab.setClock(host, 0);
  });
  afterAll(async () => lab?.stop());

  /** What it was like for users, and for processes, since before the jump. */
  async function observe(): Promise<{ untouched: () => Promise<void>; end: () => Promise<void> }> {
    const processes = await cluster.processes();
    const client = await cluster.client('jump');
    return {
      untouched: async () => {
        await client.writesAgain();
        await lab.waitForHosts();
        expect(await cluster.processes()).toEqual(processes);
      },
      end: async () => {
        await client.writesAgain();
        expect(await cluster.failedHandoffs()).toEqual([]);
        expect(await client.stop()).toMatchObject({ lostCount: 0, unread: 0, readMisses: [] });
      },
    };
  }

  test.for([
    { host: 'h1', offsetS: -HOUR_S, what: 'a host falls behind' },
    { host: CONTROLLER, offsetS: HOUR_S, what: 'the controller is ahead' },
  ])('harms no operation when $what', async ({ host, offsetS }) => {
    const users = await observe();
    await lab.setClock(host, offsetS);
    const stale = await cluster.finding('node-stale', 'h1:6379');
    expect(stale.remedy).toContain('the clock of the host');
    await users.untouched();
    await cluster.linked();
    await cluster.drain('h1');
    await cluster.undrain('h1');
    await lab.setClock(host, 0);
    await cluster.whole();
    await users.end();
  });

  test.for([
    { host: 'h1', offsetS: HOUR_S, what: 'a host is ahead' },
    { host: CONTROLLER, offsetS: -HOUR_S, what: 'the controller falls behind' },
  ])('is said, and operations go on once it is right, when $what', async ({ host, offsetS }) => {
    const users = await observe();
    await lab.setClock(host, offsetS);
    const ahead = await cluster.finding('clock-ahead', 'h1');
    expect(ahead.message).toContain('s ahead of the controller');
    await users.untouched();
    // Redis takes a jump ahead for a long silence and has its replicas connect anew.
    await cluster.linked();
    await cluster.drain('h1', '--detach');
    const id = await cluster.operationUnderWay();
    await until('the operation says what is wrong', async () => {
      const { attempts } = await cluster.operation(id);
      return attempts.some(({ message }) => message.includes('compare the clocks'));
    });
    await lab.setClock(host, 0);
    await until('the operation is done', async () => {
      return (await cluster.operation(id)).state === 'done';
    });
    await cluster.undrain('h1');
    await cluster.whole();
    await users.end();
  });
});
