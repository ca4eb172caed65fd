/** A master hands over to its replica while clients write, and stays what it is where that cannot be. */
import type { NodeObservation } from '@redrover/core';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { until } from '../../support/until.ts';
import { askWitness, runRedisCli } from '../../support/witness.ts';
import { AgentHarness, PASSWORD } from './agent-harness.ts';
import { createCluster, isServing, settled } from './cluster.ts';
import { LiveWriter } from './live-writer.ts';

/** Three masters, so that a majority is left to vote; 7001 has slots 0 to 5460. */
const PORTS = { masters: [7001, 7002, 7003], replicas: { 7004: 7001 } };
const ALL = [7001, 7002, 7003, 7004];
/** Redis holds the clients of a master for so long at most (cluster.c, CLUSTER_MF_TIMEOUT). */
const MF_TIMEOUT_MS = 5_000;

let harness: AgentHarness;
let writer: LiveWriter | undefined;

beforeEach(async () => {
  harness = await AgentHarness.start();
});
afterEach(async () => {
  writer?.disconnect();
  writer = undefined;
  await harness?.stop();
});

async function seen(port: number): Promise<NodeObservation> {
  const [node] = await harness.controller.observe([harness.key(port)]);
  if (node === undefined) throw new Error(`nothing was seen of ${port}`);
  return node;
}

async function handOff(from: number, to: number) {
  const masterNodeId = (await seen(from)).redis?.nodeId ?? '';
  return handOffFrom(from, to, masterNodeId);
}

function handOffFrom(from: number, to: number, masterNodeId: string) {
  const [node, master] = [harness.key(to), harness.key(from)];
  return harness.controller.step({
    kind: 'handoffMaster',
    host: 'h1',
    node,
    master,
    masterNodeId,
  });
}

function startWriter(): LiveWriter {
  writer = new LiveWriter({ address: harness.address, port: 7002, password: PASSWORD });
  return writer;
}

async function cli(port: number, ...args: string[]): Promise<string> {
  const whole = ['-h', harness.address, '-p', String(port), ...args];
  const { exitCode, text } = await runRedisCli(whole, PASSWORD);
  expect({ exitCode, text }).toMatchObject({ exitCode: 0 });
  return text;
}

async function expectIntact(roles: Readonly<Record<number, 'master' | 'replica'>>): Promise<void> {
  const nodes = ALL.map((port) => harness.key(port));
  await settled(harness, nodes, isServing);
  for (const [port, role] of Object.entries(roles)) {
    expect((await seen(Number(port))).redis).toMatchObject({ role });
  }
  const verdict = await askWitness({ address: harness.address, port: 7002, password: PASSWORD });
  expect(verdict, verdict.text).toMatchObject({ ok: true, slotsCovered: 16_384 });
}

test('handed over and back twenty times under a live writer, nothing acknowledged is lost', async () => {
  await createCluster(harness, { ...PORTS, nodeTimeoutMs: 1_000 });
  const live = startWriter();
  for (let round = 0; round < 20; round += 1) {
    const [from, to] = round % 2 === 0 ? [7001, 7004] : [7004, 7001];
    const before = live.acknowledged;
    const { nodes, message } = await handOff(from, to);
    expect(message).toMatch(/^took over from h1:\d+ in \d+ ms$/);
    expect(nodes[0]?.redis).toMatchObject({ role: 'master', slotsAssigned: 16_384 });
    expect((await seen(from)).redis).toMatchObject({ role: 'replica' });
    await until('writes to go on', () => live.acknowledged > before + 100);
  }
  expect(await live.lost()).toEqual([]);
  // Far from the 5 s that a failed handoff takes.
  expect(live.longestGapMs).toBeLessThan(2_000);
  await expectIntact({ 7001: 'master', 7004: 'replica' });
});

test('to a node that has just started is not begun before the votes for it would arrive', async () => {
  await createCluster(harness, { ...PORTS, nodeTimeoutMs: 1_000 });
  const live = startWriter();
  const refusals: string[] = [];
  for (let round = 0; round < 6; round += 1) {
    const [from, to] = round % 2 === 0 ? [7001, 7004] : [7004, 7001];
    const restarted = harness.key(to);
    const id = (await seen(from)).redis?.nodeId ?? '';
    await harness.controller.step({ kind: 'stopNode', host: 'h1', node: restarted });
    await harness.controller.step({ kind: 'startNode', host: 'h1', node: restarted });
    await until('the handoff', async () => {
      const said = await handOffFrom(from, to, id).then(({ message }) => message, String);
      if (said.includes('not in sync')) return false;
      refusals.push(...(said.startsWith('took over') ? [] : [said]));
      return true;
    });
  }
  expect(refusals).toEqual([]);
  expect(await live.lost()).toEqual([]);
  expect(live.longestGapMs).toBeLessThan(2_000);
});

describe('a handoff that has nothing to do', () => {
  test('succeeds when the node has taken over already', async () => {
    await createCluster(harness, PORTS);
    const masterNodeId = (await seen(7001)).redis?.nodeId ?? '';
    await handOffFrom(7001, 7004, masterNodeId);
    const { message } = await handOffFrom(7001, 7004, masterNodeId);
    expect(message).toBe('is master already');
  });
});

describe('a handoff is refused, and nothing changes,', () => {
  const refuse = (code: string, words: RegExp) => ({
    code,
    message: expect.stringMatching(words),
  });

  test('when the node follows another master, or none', async () => {
    await createCluster(harness, PORTS);
    const other = (await seen(7002)).redis?.nodeId ?? '';
    await expect(handOffFrom(7002, 7004, other)).rejects.toMatchObject(
      refuse('failed-precondition', /h1:7004 does not follow h1:7002/),
    );
    await expect(handOff(7001, 7003)).rejects.toMatchObject(
      refuse('failed-precondition', /h1:7003 is a master itself/),
    );
    await expectIntact({ 7001: 'master', 7003: 'master', 7004: 'replica' });
  });

  test('when the link of the replica is down', async () => {
    await createCluster(harness, PORTS);
    await cli(7004, 'config', 'set', 'masterauth', 'wrong');
    await cli(7004, 'client', 'kill', 'type', 'master');
    await until('the link to be down', async () => !(await seen(7004)).redis?.masterLinkUp);
    await expect(handOff(7001, 7004)).rejects.toMatchObject(
      refuse('unavailable', /not in sync with h1:7001: its link is down/),
    );
    await cli(7004, 'config', 'set', 'masterauth', PASSWORD);
    await expectIntact({ 7001: 'master', 7004: 'replica' });
  });

  test('while the replica takes over the whole dataset', async () => {
    await createCluster(harness, PORTS);
    startWriter();
    await until('some keys', () => (writer?.acknowledged ?? 0) > 1_000);
    writer?.disconnect();
    const node = harness.key(7004);
    await harness.controller.step({ kind: 'stopNode', host: 'h1', node });
    await rm(join(harness.root, '7004/appendonlydir'), { recursive: true });
    // 50 ms a key: the sync outlives the look at it.
    await cli(7001, 'config', 'set', 'rdb-key-save-delay', '50000');
    await harness.controller.step({ kind: 'startNode', host: 'h1', node });
    await expect(handOff(7001, 7004)).rejects.toMatchObject(
      refuse('unavailable', /not in sync with h1:7001/),
    );
    expect((await seen(7001)).redis?.role).toBe('master');
  });

  test('when the replica sees its master as failing', async () => {
    await createCluster(harness, PORTS);
    const masterNodeId = (await seen(7001)).redis?.nodeId ?? '';
    const node = harness.key(7004);
    const timing = { nodeTimeoutMs: 2_000, replicaNoFailover: true };
    await harness.controller.step({ kind: 'setTiming', host: 'h1', node, ...timing });
    harness.signal(7001, 'SIGSTOP');
    await until('the master to be seen as failing', async () =>
      (await seen(7004)).redis?.view.nodes.some(({ flags }) => flags.includes('fail')),
    );
    await expect(handOffFrom(7001, 7004, masterNodeId)).rejects.toMatchObject(
      refuse('unavailable', /sees its master h1:7001 as failing/),
    );
    harness.signal(7001, 'SIGCONT');
    await expectIntact({ 7001: 'master', 7004: 'replica' });
  });
});

describe('a handoff in which a server freezes half way', () => {
  /** Long enough that nobody is taken for dead meanwhile: no failover by Redis itself. */
  const SLOW = { ...PORTS, nodeTimeoutMs: 30_000 };

  test('ends with an error when it is the master, which then serves on', async () => {
    await createCluster(harness, SLOW);
    const live = startWriter();
    await until('some writes', () => live.acknowledged > 1_000);
    const masterNodeId = (await seen(7001)).redis?.nodeId ?? '';
    harness.signal(7001, 'SIGSTOP');
    const handingOff = handOffFrom(7001, 7004, masterNodeId);
    await expect(handingOff).rejects.toMatchObject({ code: 'deadline-exceeded' });
    harness.signal(7001, 'SIGCONT');
    const before = live.acknowledged;
    await until('writes to go on', () => live.acknowledged > before + 1_000);
    expect(await live.lost()).toEqual([]);
    await expectIntact({ 7001: 'master', 7004: 'replica' });
  });

  test.each([0, 3, 10])(
    'leaves an intact cluster when it is the replica, after %i ms',
    async (afterMs) => {
      await createCluster(harness, SLOW);
      const live = startWriter();
      await until('some writes', () => live.acknowledged > 1_000);
      const masterNodeId = (await seen(7001)).redis?.nodeId ?? '';
      const handingOff = handOffFrom(7001, 7004, masterNodeId).catch((error: unknown) => error);
      await delay(afterMs);
      harness.signal(7004, 'SIGSTOP');
      // The master lets its clients go by itself, if it holds them.
      await delay(MF_TIMEOUT_MS + 1_000);
      harness.signal(7004, 'SIGCONT');
      await handingOff;
      const before = live.acknowledged;
      await until('writes to go on', () => live.acknowledged > before + 1_000);
      expect(await live.lost()).toEqual([]);
      await expectIntact({ 7002: 'master', 7003: 'master' });
    },
  );
});
