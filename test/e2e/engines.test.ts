/**
 * A cluster of each release that slots are moved between, through the command line: created, checked
 * by the release's own client, its nodes adopted and restarted by the agent, removed.
 */
import { identifyProcess, sendSignal } from '@redrover/cli';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { connectCluster, countKeys, writeKeys } from '../support/cluster-client.ts';
import { engineCases } from '../support/engines.ts';
import type { NodeJson } from '../support/maintained-cluster.ts';
import { TestStack } from '../support/stack.ts';
import { until } from '../support/until.ts';
import { askWitness, runRedisCli } from '../support/witness.ts';

const KEYS = 300;

for (const { engine, title, isMissing, release } of engineCases()) {
  describe.skipIf(isMissing)(`on ${title}`, () => {
    let stack: TestStack;

    beforeAll(async () => {
      stack = await TestStack.start({ release: release() });
    });

    afterAll(async () => stack?.stop());

    const nodes = async (): Promise<readonly NodeJson[]> =>
      (await stack.redroverJson<{ nodes: NodeJson[] }>(['cluster', 'show', 'shop'])).nodes;

    async function seed() {
      const [first] = await nodes();
      if (first === undefined) throw new Error('no nodes');
      const { password } = await stack.credentials('shop');
      return { address: first.address, port: first.port, password };
    }

    async function keysFound(): Promise<number> {
      const client = connectCluster(await seed());
      try {
        return await countKeys(client, 'life', KEYS);
      } finally {
        client.disconnect();
      }
    }

    test('is created, and healthy in the eyes of its own client and of redis-cli', async () => {
      const spec = await stack.writeSpec({ name: 'shop', nodeTimeoutMs: 2_000 });
      const applied = await stack.redrover(['cluster', 'apply', '-f', spec, '--yes']);
      expect(applied, applied.stderr).toMatchObject({ exitCode: 0 });
      const healthy = { ok: true, masters: 3, replicas: 3, slotsCovered: 16384 };
      const own = await askWitness({ ...(await seed()), client: release().cli });
      expect(own, own.text).toMatchObject(healthy);
      const common = await askWitness(await seed());
      expect(common, common.text).toMatchObject(healthy);
    });

    test('says which engines it has, and which version it is', async () => {
      const seen = await stack.observations('shop');
      expect(seen).toHaveLength(6);
      const engines = engine === 'migrate' ? ['migrate'] : ['migrate', engine];
      for (const { redis } of seen) {
        expect(redis?.version).toBe(release().version);
        expect(redis?.moveEngines).toEqual(engines);
      }
    });

    test('is rendered a config that the release takes without a word', async () => {
      for (const { host, port } of await nodes()) {
        const log = await stack.redrover([
          'cluster',
          'logs',
          'shop',
          `${host}:${port}`,
          '-n',
          '100',
        ]);
        expect(log, log.stderr).toMatchObject({ exitCode: 0 });
        expect(log.stdout).not.toMatch(/deprecat|unknown|Bad directive/i);
      }
    });

    test('keeps its nodes and data when an agent and a server are killed', async () => {
      const client = connectCluster(await seed());
      try {
        await writeKeys(client, 'life', KEYS);
      } finally {
        client.disconnect();
      }
      const before = await nodes();
      const agent = stack.stack.agentProcess('h1');
      if (agent === undefined) throw new Error('h1 has no agent');
      sendSignal(agent, 'SIGKILL');
      await until('the agent is gone', () => identifyProcess(agent.pid) === undefined);
      await stack.stack.startAgent('h1');
      await stack.stack.waitForHosts();
      const pids = (all: readonly NodeJson[]) => all.map(({ pid }) => pid);
      await until('the agent has adopted its nodes', async () => {
        expect(pids(await nodes())).toEqual(pids(before));
        return true;
      });
      const replica = before.find(({ role }) => role === 'replica');
      const identity = identifyProcess(replica?.pid ?? 0);
      if (replica === undefined || identity === undefined) throw new Error('no replica runs');
      sendSignal(identity, 'SIGKILL');
      await until('the replica is back', async () => {
        const now = (await nodes()).find(({ key }) => key === replica.key);
        return now?.state === 'running' && now.pid !== replica.pid;
      });
      expect(await keysFound()).toBe(KEYS);
      await until('the check is clean', async () => {
        const { ok, text } = await askWitness({ ...(await seed()), client: release().cli });
        if (!ok) throw new Error(text);
        return true;
      });
    });

    test('is connected to with its own client', async () => {
      const got = await stack.redrover(['cluster', 'connect', 'shop', '--', 'INFO', 'server']);
      expect(got, got.stderr).toMatchObject({ exitCode: 0 });
      expect(got.stdout).toMatch(
        new RegExp(`^${release().product}_version:${release().version}`, 'm'),
      );
      const { password } = await seed();
      const node = await seed();
      const where = ['-h', node.address, '-p', String(node.port)];
      const line = await runRedisCli([...where, 'INFO', 'server'], password, release().cli);
      expect(line.text).toContain(`${release().product}-server`);
    });

    test('is removed, its data kept in the trash', async () => {
      const pids = (await nodes()).map(({ pid }) => pid ?? 0);
      const removed = await stack.redrover(['cluster', 'rm', 'shop', '--yes']);
      expect(removed, removed.stderr).toMatchObject({ exitCode: 0 });
      for (const pid of pids) expect(identifyProcess(pid)).toBeUndefined();
      for (const host of stack.hostNames) {
        expect(readdirSync(join(stack.stack.paths.hostRoot(host), 'trash'))).toHaveLength(2);
      }
    });
  });
}
