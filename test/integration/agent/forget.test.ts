/** Ids of nodes that are gone are forgotten, and no others. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { until } from '../../support/until.ts';
import { AgentHarness } from './agent-harness.ts';
import { createCluster, isServing, settled, targetOf } from './cluster.ts';

const OTHERS = [7001, 7002, 7003];

let harness: AgentHarness;
let ids: Readonly<Record<number, string>>;

beforeEach(async () => {
  harness = await AgentHarness.start();
  await createCluster(harness, { masters: OTHERS, replicas: { 7004: 7001 } });
  const seen = await harness.controller.observe([...OTHERS, 7004].map((port) => harness.key(port)));
  ids = Object.fromEntries(seen.map(({ port, redis }) => [port, redis?.nodeId ?? '']));
});
afterEach(() => harness?.stop());

function forget(port: number, ...nodeIds: readonly (string | undefined)[]) {
  const step = { kind: 'forgetNodes', host: 'h1', node: harness.key(port) } as const;
  return harness.controller.step({ ...step, nodeIds: nodeIds.map((id) => id ?? '') });
}

async function knownTo(port: number): Promise<string[]> {
  const [seen] = await harness.controller.observe([harness.key(port)]);
  return seen?.redis?.view.nodes.map((node) => node.nodeId) ?? [];
}

test('a stopped replica is forgotten by all, also when that is asked twice', async () => {
  const node = harness.key(7004);
  await harness.controller.step({ kind: 'stopNode', host: 'h1', node });
  for (const port of OTHERS) {
    const { message, nodes } = await forget(port, ids[7004]);
    expect(message).toBe('forgot 1');
    expect(nodes[0]?.redis?.knownNodes).toBe(3);
  }
  expect((await forget(7001, ids[7004])).message).toBe('knows none of them any more');
  // Several heartbeats of the bus later it has not come back.
  await until('heartbeats', async () => (await knownTo(7001)).length === 3);
  expect(await knownTo(7002)).not.toContain(ids[7004]);
});

test('a master that is gone is forgotten though a replica of it is down, which follows the new one', async () => {
  const { controller } = harness;
  const late = 7005;
  await harness.run(harness.plan(late, { nodeTimeoutMs: 2_000 }));
  const peers = [...OTHERS, 7004].map((port) => targetOf(harness, port));
  const node = harness.key(late);
  await controller.step({ kind: 'meetNodes', host: 'h1', node, peers });
  await until('the new node to be known', async () => (await knownTo(7004)).length === 5);
  const master = harness.key(7001);
  const masterNodeId = ids[7001] ?? '';
  await controller.step({ kind: 'attachReplica', host: 'h1', node, master, masterNodeId });
  await settled(
    harness,
    [...OTHERS, 7004, late].map((port) => harness.key(port)),
    isServing,
  );
  await controller.step({ kind: 'stopNode', host: 'h1', node });
  await controller.step({ kind: 'stopNode', host: 'h1', node: master });
  const living = [7002, 7003, 7004].map((port) => harness.key(port));
  await settled(harness, living, (seen) => {
    const entries = seen.redis?.view.nodes ?? [];
    const failed = entries.filter(({ flags }) => flags.includes('fail'));
    return failed.length === 2 && isServing(seen);
  });
  for (const port of [7002, 7003, 7004]) {
    expect((await forget(port, ids[7001])).message).toBe('forgot 1');
  }
  await controller.step({ kind: 'startNode', host: 'h1', node });
  await until('the late one to follow the new master', async () => {
    const [seen] = await controller.observe([node]);
    const own = seen?.redis?.view.nodes.find(({ nodeId }) => nodeId === seen.redis?.nodeId);
    return own?.masterId === ids[7004] && seen?.redis?.masterLinkUp === true;
  });
});

describe('a node refuses to forget', () => {
  test('itself, its own master, the owner of slots, and anything else with them', async () => {
    await expect(forget(7001, ids[7001])).rejects.toMatchObject({ code: 'failed-precondition' });
    await expect(forget(7002, ids[7001])).rejects.toMatchObject({ code: 'data-loss' });
    // The replica could be forgotten; the owner of slots beside it keeps it from being touched.
    await expect(forget(7002, ids[7004], ids[7003])).rejects.toMatchObject({ code: 'data-loss' });
    await expect(forget(7004, ids[7001])).rejects.toMatchObject({
      message: expect.stringContaining('plan again'),
    });
    for (const port of [...OTHERS, 7004]) expect(await knownTo(port)).toHaveLength(4);
  });
});
