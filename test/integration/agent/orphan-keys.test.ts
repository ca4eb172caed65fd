/** What a node says of keys in slots that it does not own. */
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { engineCases } from '../../support/engines.ts';
import { until } from '../../support/until.ts';
import { AgentHarness, PASSWORD } from './agent-harness.ts';
import { createCluster } from './cluster.ts';

const MASTERS = [7001, 7002, 7003];
/** Of `{b}`; 7001 has it. */
const SLOT = 3300;

for (const { title, isMissing, release, engine } of engineCases()) {
  describe.skipIf(isMissing)(`on ${title}`, () => {
    let harness: AgentHarness;
    let client: Redis | undefined;

    beforeEach(async () => {
      harness = await AgentHarness.start({ release: release() });
    });
    afterEach(async () => {
      client?.disconnect();
      await harness?.stop();
    });

    async function seen(port: number) {
      const [node] = await harness.controller.observe([harness.key(port)]);
      if (node?.redis === undefined) throw new Error(`${port} does not answer`);
      return node.redis;
    }

    test('keys are counted where another node owns their slot, not where they are on their way', async () => {
      await createCluster(harness, { masters: MASTERS, replicas: { 7004: 7002 } });
      const { address: host } = harness;
      client = new Redis({
        host,
        port: 7002,
        password: PASSWORD,
        protocol: 2,
        retryStrategy: null,
      });
      const { nodeId } = await seen(7001);
      // Its own, in slot 5798.
      await client.set('{abc}own', 'value');
      await client.cluster('SETSLOT', SLOT, 'IMPORTING', nodeId);
      await Promise.all([client.call('ASKING'), client.set('{b}1', 'value')]);
      const open = await until('a count', async () => (await seen(7002)).orphanKeys);
      expect(open).toEqual({ keys: 0, slotCount: 0, slots: [] });
      await client.cluster('SETSLOT', SLOT, 'STABLE');
      const closed = await until('a count of the closed slot', async () => {
        const { orphanKeys } = await seen(7002);
        return orphanKeys !== undefined && orphanKeys.keys > 0 && orphanKeys;
      });
      // Redis from 8.4 does not say where such keys are.
      const named = { slotCount: 1, slots: [{ slot: SLOT, keys: 1 }] };
      const hidden = { slotCount: 0, slots: [] };
      expect(closed).toEqual({ keys: 1, ...(engine === 'redis-atomic' ? hidden : named) });
      // A replica has what its master has, and is not asked.
      expect((await seen(7004)).orphanKeys).toBeUndefined();
    });
  });
}
