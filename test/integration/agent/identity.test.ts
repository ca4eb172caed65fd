/** A node whose nodes.conf or directory is gone is no member of its cluster any more, and must not act as one. */
import type { NodeObservation } from '@redrover/core';
import { execa } from 'execa';
import { Redis } from 'ioredis';
import { copyFile, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { distDirectory } from '../../support/paths.ts';
import { until } from '../../support/until.ts';
import { AgentHarness, PASSWORD } from './agent-harness.ts';
import { createCluster, isServing, settled } from './cluster.ts';

/** Three masters, so that two are left to elect; 7001 has slots 0 to 5460. */
const PORTS = { masters: [7001, 7002, 7003], replicas: { 7004: 7001 } };
const ALL = [7001, 7002, 7003, 7004];

let harness: AgentHarness;
const clients: Redis[] = [];

beforeEach(async () => {
  harness = await AgentHarness.start();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await harness?.stop();
});

const directory = (port: number): string => join(harness.root, String(port));
const nodesConf = (port: number): string => join(directory(port), 'nodes.conf');
const stop = (port: number) =>
  harness.controller.step({ kind: 'stopNode', host: 'h1', node: harness.key(port) });
const start = (port: number) =>
  harness.controller.step({ kind: 'startNode', host: 'h1', node: harness.key(port) });

async function seen(port: number): Promise<NodeObservation> {
  const [node] = await harness.controller.observe([harness.key(port)]);
  if (node === undefined) throw new Error(`nothing was seen of ${port}`);
  return node;
}

/** Writes keys of 7001's own slots, and waits until the replica has them. */
async function writeKeys(count: number): Promise<void> {
  const { address: host } = harness;
  const options = {
    host,
    port: 7001,
    password: PASSWORD,
    protocol: 2,
    retryStrategy: null,
  } as const;
  const client = new Redis(options);
  clients.push(client);
  // The slot of `{b}` is 3300.
  for (let index = 0; index < count; index += 1) await client.set(`{b}${index}`, 'value');
  expect(await client.wait(1, 5_000)).toBe(1);
}

/** Until the agent's record has what would be missed. */
async function noted(): Promise<void> {
  await until('the nodes to be written down', async () => {
    const texts = await Promise.all(
      ALL.map((port) => readFile(join(harness.root, `agent/nodes/${port}.json`), 'utf8')),
    );
    return texts.every((text) => (JSON.parse(text) as Noted).lastSeen?.peers.length);
  });
}

interface Noted {
  readonly lastSeen?: { readonly peers: readonly unknown[] };
}

/** The agent and the servers of these ports die, as when the host does. */
async function crash(...ports: readonly number[]): Promise<void> {
  await harness.killAgent('SIGKILL');
  const pids = ports.map((port) => harness.serverPid(port));
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await until('the servers to be gone', () =>
    harness.serverPids().every((pid) => !pids.includes(pid)),
  );
}

function isRunning(port: number): boolean {
  try {
    return harness.serverPid(port) > 0;
  } catch {
    // There is none.
    return false;
  }
}

describe('a node without its nodes.conf', () => {
  test('is held after a crash, as a replica too, until the file is back', async () => {
    await createCluster(harness, PORTS);
    const { nodeId } = (await seen(7004)).redis ?? {};
    await noted();
    await copyFile(nodesConf(7004), join(harness.root, 'saved'));
    await rm(nodesConf(7004));
    harness.signal(7004, 'SIGKILL');
    const { process, redis } = await harness.inState(7004, 'held');
    expect(process).toMatchObject({ identityLost: true, hasData: true, pid: undefined });
    expect(process.reason).toMatch(/nodes\.conf .* is gone.*redrover cluster repair c1/);
    expect(redis).toBeUndefined();
    expect(isRunning(7004)).toBe(false);
    await copyFile(join(harness.root, 'saved'), nodesConf(7004));
    const back = await harness.inState(7004, 'running');
    expect(back.process.identityLost).toBe(false);
    expect(back.redis?.nodeId).toBe(nodeId);
  });

  test('is held at boot, and never claims the slots of its keys as a stranger', async () => {
    await createCluster(harness, PORTS);
    await writeKeys(20);
    await noted();
    await crash(7001);
    // What a power cut may leave of a file that was not synced.
    await truncate(nodesConf(7001), 0);
    await harness.startAgent();
    const { process } = await harness.inState(7001, 'held');
    expect(process).toMatchObject({ identityLost: true, hasData: true });
    expect(process.reason).toContain(`master of slots 0-5460, with ${harness.address}:7004`);
    await expect(start(7001)).rejects.toMatchObject({
      code: 'data-loss',
      message: expect.stringContaining('nodes.conf'),
    });
    // Its replica has taken over with all that there was.
    await settled(harness, [7002, 7003, 7004].map(harness.key.bind(harness)), isServing);
    expect((await seen(7004)).redis).toMatchObject({ role: 'master', keys: 20 });
    expect((await seen(7001)).process).toMatchObject({ state: 'held', identityLost: true });
  });

  test('is held with a broken one as well, and stopped when it is told to', async () => {
    await createCluster(harness, PORTS);
    await noted();
    await crash(7003);
    const text = await readFile(nodesConf(7003), 'utf8');
    await writeFile(nodesConf(7003), text.slice(0, 30));
    await harness.startAgent();
    expect((await harness.inState(7003, 'held')).process.identityLost).toBe(true);
    await stop(7003);
    expect((await seen(7003)).process).toMatchObject({ state: 'stopped', identityLost: true });
  });

  test('starts when a person says so', async () => {
    await createCluster(harness, PORTS);
    const { nodeId } = (await seen(7003)).redis ?? {};
    await noted();
    await rm(nodesConf(7003));
    harness.signal(7003, 'SIGKILL');
    await harness.inState(7003, 'held');
    const bundle = join(distDirectory, 'redrover-agent.mjs');
    await execa(process.execPath, [bundle, 'release-node', '7003', '--root', harness.root]);
    const { redis } = await harness.inState(7003, 'running');
    expect(redis?.nodeId).not.toBe(nodeId);
  });

  test('starts by itself when no cluster ever knew it', async () => {
    await harness.run(harness.plan(7001));
    await harness.inState(7001, 'running');
    await rm(nodesConf(7001));
    harness.signal(7001, 'SIGKILL');
    const { process } = await until('a restart', async () => {
      const node = await seen(7001);
      return node.process.restarts === 1 && node.redis !== undefined ? node : undefined;
    });
    expect(process).toMatchObject({ state: 'running', identityLost: false });
  });
});

describe('a node whose directory was deleted', () => {
  test('runs on and says so; once it has crashed it is absent, and can be made anew', async () => {
    await createCluster(harness, PORTS);
    const { nodeId } = (await seen(7004)).redis ?? {};
    await rm(directory(7004), { recursive: true });
    const running = await seen(7004);
    expect(running.process).toMatchObject({ state: 'running', pid: harness.serverPid(7004) });
    expect(running.process.reason).toMatch(/deleted or emptied while it runs/);
    expect(running.redis?.nodeId).toBe(nodeId);

    // An agent that starts meanwhile takes it over all the same.
    await harness.killAgent('SIGKILL');
    await harness.startAgent();
    expect((await harness.inState(7004, 'running')).process.pid).toBe(harness.serverPid(7004));

    harness.signal(7004, 'SIGKILL');
    const { process } = await harness.inState(7004, 'absent');
    expect(process).toMatchObject({ hasData: false, marker: undefined, pid: undefined });
    expect(process.reason).toContain('7004 is gone');
    expect(isRunning(7004)).toBe(false);

    await expect(start(7004)).rejects.toMatchObject({ code: 'data-loss' });
    await stop(7004);
    expect((await seen(7004)).process.state).toBe('absent');
    await harness.prepare(harness.plan(7004));
    expect((await seen(7004)).process).toMatchObject({ state: 'prepared', identityLost: false });
    await start(7004);
    const anew = await seen(7004);
    expect(anew.process).toMatchObject({ state: 'running', restarts: 0, reason: '' });
    expect(anew.redis?.nodeId).not.toBe(nodeId);
    expect(anew.redis?.keys).toBe(0);
  });

  test('or emptied is removed and made anew, also when its server has written there since', async () => {
    await createCluster(harness, PORTS);
    await noted();
    for (const name of await readdir(directory(7004))) {
      await rm(join(directory(7004), name), { recursive: true });
    }
    // A server opens its log for each line.
    await writeFile(join(directory(7004), 'redis.log'), 'a line');
    harness.signal(7004, 'SIGKILL');
    const { process } = await harness.inState(7004, 'held');
    expect(process).toMatchObject({ identityLost: true, hasData: false, marker: undefined });
    const remove = { kind: 'removeNode', host: 'h1', node: harness.key(7004) } as const;
    await stop(7004);
    const { message } = await harness.controller.step({ ...remove, purge: true });
    expect(message).toMatch(/^kept as /);
    await harness.run(harness.plan(7004));
    expect((await seen(7004)).process.state).toBe('running');
  });

  test('at boot is absent as well, and waits for its start once it is prepared', async () => {
    await createCluster(harness, PORTS);
    await noted();
    await crash(7004);
    await rm(directory(7004), { recursive: true });
    await harness.startAgent();
    await harness.inState(7004, 'absent');
    await harness.prepare(harness.plan(7004));
    expect((await seen(7004)).process.state).toBe('prepared');
    await harness.killAgent('SIGKILL');
    await harness.startAgent();
    expect((await harness.inState(7004, 'prepared')).process.pid).toBeUndefined();
    await start(7004);
    expect((await seen(7004)).process.state).toBe('running');
  });

  test('does not start anew in the place of a master that its replica still follows', async () => {
    await createCluster(harness, PORTS);
    await writeKeys(20);
    await noted();
    const timing = { nodeTimeoutMs: 2_000, replicaNoFailover: true };
    const replica = harness.key(7004);
    await harness.controller.step({ kind: 'setTiming', host: 'h1', node: replica, ...timing });
    await rm(directory(7001), { recursive: true });
    harness.signal(7001, 'SIGKILL');
    await harness.inState(7001, 'absent');
    await harness.prepare(harness.plan(7001));
    await expect(start(7001)).rejects.toMatchObject({
      code: 'data-loss',
      message: expect.stringContaining('held back'),
    });
    expect((await seen(7004)).redis?.keys).toBe(20);
    // Once the replica may take over, nothing is endangered any more.
    const again = { ...timing, replicaNoFailover: false };
    await harness.controller.step({ kind: 'setTiming', host: 'h1', node: replica, ...again });
    await harness.inState(7001, 'running');
    expect((await seen(7004)).redis).toMatchObject({ role: 'master', keys: 20 });
  });

  test('is stopped as a replica, and never as the master that alone holds its data', async () => {
    await createCluster(harness, { ...PORTS, nodeTimeoutMs: 30_000 });
    await writeKeys(20);
    for (const port of [7001, 7004]) await rm(directory(port), { recursive: true });
    const { message } = await stop(7004);
    expect(message).toBe('stopped by SHUTDOWN');
    expect((await seen(7004)).process.state).toBe('absent');
    await expect(stop(7001)).rejects.toMatchObject({ code: 'data-loss' });
    expect((await seen(7001)).redis).toMatchObject({ role: 'master', keys: 20 });
  });
});

test('a node removed and made again on its port is a new one; the trash keeps the old data', async () => {
  await harness.run(harness.plan(7001));
  const { nodeId } = (await seen(7001)).redis ?? {};
  await stop(7001);
  const remove = { kind: 'removeNode', host: 'h1', node: harness.key(7001), purge: false } as const;
  const { message } = await harness.controller.step(remove);
  const kept = message.replace('kept as ', '');
  expect(await readdir(kept)).toEqual(expect.arrayContaining(['nodes.conf', 'appendonlydir']));
  await harness.run(harness.plan(7001));
  expect((await seen(7001)).redis?.nodeId).not.toBe(nodeId);
  expect(await readFile(join(kept, 'nodes.conf'), 'utf8')).toContain(nodeId);
});

test('a directory that cannot be understood is a fact about one node, and silences no other', async () => {
  await harness.run(harness.plan(7001));
  await harness.run(harness.plan(7002));
  await stop(7002);
  await writeFile(join(directory(7002), 'redrover.json'), '{"for');
  await mkdir(directory(7009));
  await writeFile(join(directory(7009), 'redrover.json'), 'not ours');
  const broken = await harness.inState(7002, 'stopped');
  expect(broken.process).toMatchObject({ marker: undefined, hasData: true });
  expect(broken.process.reason).toContain('redrover.json is not a marker');
  expect((await seen(7009)).process).toMatchObject({ state: 'absent', hasData: true });
  const { sentAt } = await harness.controller.heartbeat('a heartbeat', () => true);
  const beat = await harness.controller.heartbeat(
    'a later one',
    (later) => later.sentAt !== sentAt,
  );
  expect(beat.nodes.map((node) => node.port)).toEqual(expect.arrayContaining([7001, 7002]));
});
