/** A host that has another address: its nodes come back under it as the nodes that they were. */
import type { NodeObservation } from '@redrover/core';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { until } from '../../support/until.ts';
import { askWitness } from '../../support/witness.ts';
import { AgentHarness, freeAddress, PASSWORD } from './agent-harness.ts';
import { createCluster, isServing, settled } from './cluster.ts';

const ALL = [7001, 7002, 7003, 7004];

let harness: AgentHarness;

beforeEach(async () => {
  harness = await AgentHarness.start();
});
afterEach(() => harness?.stop());

async function seen(port: number): Promise<NodeObservation> {
  const [node] = await harness.controller.observe([harness.key(port)]);
  if (node === undefined) throw new Error(`nothing was seen of ${port}`);
  return node;
}

const step = (kind: 'startNode' | 'stopNode', port: number) =>
  harness.controller.step({ kind, host: 'h1', node: harness.key(port) }, { layoutNumber: 2 });

const configOf = (port: number): string => join(harness.root, String(port), 'redis.conf');

describe('an agent with another address', () => {
  test('moves its nodes to it one by one, each with its id, its role and its data', async () => {
    await createCluster(harness, {
      masters: [7001, 7002, 7003],
      replicas: { 7004: 7001 },
      nodeTimeoutMs: 15_000,
    });
    const before = new Map(
      (await harness.controller.observe(ALL.map((port) => harness.key(port)))).map(
        ({ port, redis }) => [port, redis?.nodeId],
      ),
    );
    const old = harness.address;
    harness.address = freeAddress();
    await harness.killAgent('SIGKILL');
    await harness.startAgent();
    expect(harness.controller.hellos.at(-1)?.address).toBe(harness.address);
    // Their plans still have the old address, where they run and answer.
    for (const port of ALL) {
      const { redis } = await harness.inState(port, 'running');
      expect(redis?.view.nodes.map((node) => node.address)).toEqual([old, old, old, old]);
    }
    for (const port of [7004, 7001]) {
      await step('stopNode', port);
      await harness.prepare(harness.plan(port, { layoutNumber: 2, nodeTimeoutMs: 15_000 }));
      expect((await seen(port)).process).toMatchObject({ state: 'stopped', hasData: true });
      await step('startNode', port);
      const { redis } = await seen(port);
      expect(redis?.nodeId).toBe(before.get(port));
    }
    const nodes = ALL.map((port) => harness.key(port));
    await settled(harness, nodes, isServing);
    const { redis } = await seen(7002);
    const addressOf = (port: number) =>
      redis?.view.nodes.find((node) => node.nodeId === before.get(port))?.address;
    expect(ALL.map(addressOf)).toEqual([harness.address, old, old, harness.address]);
    expect((await seen(7001)).redis?.role).toBe('master');
    const verdict = await askWitness({ address: old, port: 7002, password: PASSWORD });
    expect(verdict, verdict.text).toMatchObject({ ok: true });
  });

  test('says of a node that cannot bind why it crashes, and starts it once it is prepared', async () => {
    const pid = await harness.run(harness.plan(7001));
    const { nodeId } = (await seen(7001)).redis ?? {};
    const text = await readFile(configOf(7001), 'utf8');
    // TEST-NET-3 (RFC 5737): an address that no host has.
    await writeFile(configOf(7001), text.replaceAll(harness.address, '203.0.113.7'));
    process.kill(pid, 'SIGKILL');
    const crashed = await harness.inState(7001, 'crash-loop');
    expect(crashed.process.reason).toMatch(/203\.0\.113\.7.*bind|Failed listening/);
    harness.address = freeAddress();
    await harness.prepare(harness.plan(7001, { layoutNumber: 2 }));
    await step('startNode', 7001);
    const back = await harness.inState(7001, 'running');
    expect(back.redis?.nodeId).toBe(nodeId);
    expect(back.redis?.view.nodes[0]?.address).toBe(harness.address);
  });
});

describe('a node whose config was prepared anew', () => {
  test('is reached by its old password while it runs, and by the new one once it is restarted', async () => {
    const pid = await harness.run(harness.plan(7001));
    await harness.prepare(harness.plan(7001), 'another one');
    expect((await harness.inState(7001, 'running')).process.pid).toBe(pid);
    // The next agent knows that as well.
    await harness.killAgent('SIGKILL');
    await harness.startAgent();
    expect((await harness.inState(7001, 'running')).process.pid).toBe(pid);
    process.kill(pid, 'SIGKILL');
    const { redis } = await until('a restart', async () => {
      const node = await seen(7001);
      return node.process.pid !== pid && node.redis !== undefined ? node : undefined;
    });
    expect(redis?.role).toBe('master');
  });

  test('in the time between two tries is started by the next, with a new password too', async () => {
    const pid = await harness.run(harness.plan(7001));
    await writeFile(configOf(7001), 'no-such-option yes\n');
    process.kill(pid, 'SIGKILL');
    await harness.inState(7001, 'backoff');
    await harness.prepare(harness.plan(7001), 'another one');
    const back = await harness.inState(7001, 'running', 15_000);
    expect(back.process.pid).not.toBe(pid);
  });
});
