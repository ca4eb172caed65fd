/** Stopping ends in time whatever the server does, and nobody is killed for being slow. */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { until } from '../../support/until.ts';
import { runRedisCli } from '../../support/witness.ts';
import { AgentHarness, PASSWORD } from './agent-harness.ts';
import { createCluster } from './cluster.ts';

let harness: AgentHarness;

beforeEach(async () => {
  harness = await AgentHarness.start();
});
afterEach(() => harness?.stop());

async function stop(port: number): Promise<string> {
  const step = { kind: 'stopNode', host: 'h1', node: harness.key(port) } as const;
  return (await harness.controller.step(step)).message;
}

async function seen(port: number) {
  const [node] = await harness.controller.observe([harness.key(port)]);
  return node;
}

async function configure(port: number, option: string, value: string): Promise<void> {
  const args = ['-h', harness.address, '-p', String(port), 'config', 'set', option, value];
  expect(await runRedisCli(args, PASSWORD)).toMatchObject({ exitCode: 0 });
}

describe('a server that hangs', () => {
  test('is reported within seconds, beside the others, and goes on when it wakes up', async () => {
    const pid = await harness.run(harness.plan(7001));
    await harness.run(harness.plan(7002));
    await harness.inState(7001, 'running');
    process.kill(pid, 'SIGSTOP');
    const stateOf = (port: number) =>
      harness.controller.lastHeartbeat?.nodes.find((node) => node.port === port)?.redis;
    const isSeen = () => stateOf(7001) === undefined && stateOf(7002) !== undefined;
    await until('heartbeats to tell', isSeen, 3_000);
    // One that hangs must not keep the whole host from being heard of.
    let worstMs = 0;
    for (let beat = 0; beat < 5; beat += 1) {
      const before = harness.controller.lastHeartbeat;
      const startTick = performance.now();
      await until('the next heartbeat', () => harness.controller.lastHeartbeat !== before);
      worstMs = Math.max(worstMs, performance.now() - startTick);
    }
    expect(worstMs).toBeLessThan(2_000);
    expect((await seen(7001))?.process).toMatchObject({ state: 'unresponsive', pid, restarts: 0 });
    process.kill(pid, 'SIGCONT');
    const back = await harness.inState(7001, 'running', 5_000);
    expect(back.process).toMatchObject({ pid, restarts: 0 });
  });

  test('is not started a second time by the next agent, and is stopped by a signal', async () => {
    const pid = await harness.run(harness.plan(7001));
    process.kill(pid, 'SIGSTOP');
    await harness.killAgent('SIGKILL');
    await harness.startAgent();
    // Young enough to be starting still, as far as the next agent knows.
    await until('the server to be taken over', async () => (await seen(7001))?.process.pid === pid);
    expect(harness.serverPids()).toEqual([pid]);
    expect(await stop(7001)).toBe('stopped by SIGKILL');
    expect((await seen(7001))?.process).toMatchObject({ state: 'stopped', pid: undefined });
    await delay(1_000);
    expect(harness.serverPids()).toEqual([]);
  });
});

describe('a stop', () => {
  test('of a server whose address does not answer ends it by a signal, with its state', async () => {
    await harness.run(harness.plan(7001));
    await configure(7001, 'bind', '127.0.0.1');
    // The connection that the agent has outlives that.
    await runRedisCli(['-p', '7001', 'client', 'kill', 'type', 'normal'], PASSWORD);
    await harness.inState(7001, 'unresponsive');
    expect(await stop(7001)).toBe('stopped by SIGTERM');
    await harness.inState(7001, 'stopped');
  });

  test('of a replica that cannot save ends it: its master has all of it', async () => {
    const config = { appendonly: 'no', save: '3600 1' };
    await createCluster(harness, {
      masters: [7001, 7002, 7003],
      replicas: { 7004: 7001 },
      config,
      nodeTimeoutMs: 30_000,
    });
    await chmod(join(harness.root, '7004'), 0o500);
    expect(await stop(7004)).toBe('stopped by SHUTDOWN');
    await harness.inState(7004, 'stopped');
    await chmod(join(harness.root, '7004'), 0o750);
    // The same of a replica whose master does not answer: it may be the last that has it.
    const node = harness.key(7004);
    await harness.controller.step({ kind: 'startNode', host: 'h1', node });
    await until('its link', async () => (await seen(7004))?.redis?.masterLinkUp);
    harness.signal(7001, 'SIGSTOP');
    await configure(7004, 'masterauth', 'wrong');
    const args = ['-h', harness.address, '-p', '7004', 'client', 'kill', 'type', 'master'];
    await runRedisCli(args, PASSWORD);
    await until('its link to be down', async () => !(await seen(7004))?.redis?.masterLinkUp);
    await chmod(join(harness.root, '7004'), 0o500);
    await expect(stop(7004)).rejects.toMatchObject({ code: 'data-loss' });
    await harness.inState(7004, 'running');
    await chmod(join(harness.root, '7004'), 0o750);
  });

  test('of a crash loop ends it', async () => {
    const pid = await harness.run(harness.plan(7001));
    await writeFile(join(harness.root, '7001/redis.conf'), 'no-such-option yes\n');
    process.kill(pid, 'SIGKILL');
    await harness.inState(7001, 'crash-loop');
    expect(await stop(7001)).toBe('was not running');
    const { process: stopped } = await harness.inState(7001, 'stopped');
    expect(stopped.reason).toContain('no-such-option');
  });
});
