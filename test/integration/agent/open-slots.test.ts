/** What a node says of its engines for moving slots, and for how long its open slots were left alone. */
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { engineCases } from '../../support/engines.ts';
import { until } from '../../support/until.ts';
import { AgentHarness, PASSWORD } from './agent-harness.ts';
import { createCluster } from './cluster.ts';

const MASTERS = [7001, 7002, 7003];
/** Of `{b}`; 7001 has it. */
const SLOT = 3300;

for (const { engine, title, isMissing, release } of engineCases()) {
  describe.skipIf(isMissing)(`on ${title}`, () => {
    let harness: AgentHarness;
    const clients: Redis[] = [];

    beforeEach(async () => {
      harness = await AgentHarness.start({ release: release() });
    });
    afterEach(async () => {
      for (const client of clients.splice(0)) client.disconnect();
      await harness?.stop();
    });

    function connect(port: number): Redis {
      const { address: host } = harness;
      const client = new Redis({
        host,
        port,
        password: PASSWORD,
        protocol: 2,
        retryStrategy: null,
      });
      clients.push(client);
      return client;
    }

    async function seen(port: number) {
      const [node] = await harness.controller.observe([harness.key(port)]);
      if (node?.redis === undefined) throw new Error(`${port} does not answer`);
      return node.redis;
    }

    test('open slots are quiet until a key or a slot changes, and closed ones are not open', async () => {
      await createCluster(harness, { masters: MASTERS, replicas: {} });
      const before = await seen(7001);
      expect(before.version).toBe(release().version);
      expect(before.moveEngines).toEqual(engine === 'migrate' ? ['migrate'] : ['migrate', engine]);
      expect(before.openSlotsQuietMs).toBe(0);
      const [source, target] = [connect(7001), connect(7002)];
      const targetId = (await seen(7002)).nodeId;
      await source.set('{b}1', 'value');
      await target.cluster('SETSLOT', SLOT, 'IMPORTING', before.nodeId);
      await source.cluster('SETSLOT', SLOT, 'MIGRATING', targetId);
      await until('both to be quiet', async () => {
        const all = await Promise.all([seen(7001), seen(7002)]);
        return all.every(({ openSlotsQuietMs }) => openSlotsQuietMs > 700);
      });
      await source.del('{b}1');
      expect((await seen(7001)).openSlotsQuietMs).toBeLessThan(700);
      expect((await seen(7002)).openSlotsQuietMs).toBeGreaterThan(700);
      await until('7001 to be quiet again', async () => (await seen(7001)).openSlotsQuietMs > 300);
      await source.cluster('SETSLOT', SLOT + 1, 'MIGRATING', targetId);
      expect((await seen(7001)).openSlotsQuietMs).toBeLessThan(300);
      for (const slot of [SLOT, SLOT + 1]) await source.cluster('SETSLOT', slot, 'STABLE');
      expect((await seen(7001)).openSlotsQuietMs).toBe(0);
    });
  });
}
