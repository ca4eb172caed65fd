/** What the agent does about processes that die, its own included. */
import { execa } from 'execa';
import { chmod, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { distDirectory } from '../../support/paths.ts';
import { until } from '../../support/until.ts';
import { runRedisCli } from '../../support/witness.ts';
import { AgentHarness, PASSWORD } from './agent-harness.ts';

let harness: AgentHarness;

beforeEach(async () => {
  harness = await AgentHarness.start();
});
afterEach(() => harness?.stop());

describe('when the agent dies', () => {
  test('its nodes run on, and the next agent adopts the same processes', async () => {
    const pids = [await harness.run(harness.plan(7001)), await harness.run(harness.plan(7002))];
    await harness.killAgent('SIGKILL');
    expect(harness.serverPids().sort()).toEqual([...pids].sort());
    await harness.startAgent();
    const first = await harness.inState(7001, 'running');
    const second = await harness.inState(7002, 'running');
    expect([first.process.pid, second.process.pid]).toEqual(pids);
    expect(first.process).toMatchObject({ restarts: 0 });
    expect(harness.serverPids().sort()).toEqual([...pids].sort());
  });

  test('a node that it had just started and not yet noted is found by its directory', async () => {
    const pid = await harness.run(harness.plan(7001));
    await harness.killAgent('SIGKILL');
    const path = join(harness.root, 'agent/nodes/7001.json');
    const { process: _, ...forgotten } = JSON.parse(await readFile(path, 'utf8')) as object & {
      process: unknown;
    };
    await writeFile(path, JSON.stringify(forgotten));
    await harness.startAgent();
    expect((await harness.inState(7001, 'running')).process.pid).toBe(pid);
  });

  test('a process that has taken over the pid is not taken for the node', async () => {
    const pid = await harness.run(harness.plan(7001));
    await harness.killAgent('SIGKILL');
    process.kill(pid, 'SIGKILL');
    await until('the server to be gone', () => harness.serverPids().length === 0);
    const path = join(harness.root, 'agent/nodes/7001.json');
    const record = JSON.parse(await readFile(path, 'utf8')) as { process: { pid: number } };
    // As if the kernel had given the pid to this very test.
    record.process.pid = process.pid;
    await writeFile(path, JSON.stringify(record));
    await harness.startAgent();
    const seen = await harness.inState(7001, 'running');
    expect(seen.process.pid).not.toBe(process.pid);
  });

  test('SIGTERM ends it with exit code 0 and stops no node', async () => {
    const pid = await harness.run(harness.plan(7001));
    await harness.killAgent('SIGTERM');
    expect(harness.serverPids()).toEqual([pid]);
    expect(harness.log).toContain('its nodes run on');
  });

  test('nodes that should run are started at boot without any controller', async () => {
    await harness.run(harness.plan(7001));
    await harness.run(harness.plan(7002));
    const node = harness.key(7002);
    await harness.controller.step({ kind: 'stopNode', host: 'h1', node });
    await harness.killAgent('SIGKILL');
    for (const pid of harness.serverPids()) process.kill(pid, 'SIGKILL');
    await until('all servers to be gone', () => harness.serverPids().length === 0);
    harness.controller.stop();
    harness.spawnAgent();
    // A child is the agent's own image until it has become a server.
    const started = await until('a server', async () => {
      const [pid] = harness.serverPids();
      if (pid === undefined) return undefined;
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return command.includes('redis-server') ? pid : undefined;
    });
    expect(await readFile(`/proc/${started}/cmdline`, 'utf8')).toContain('7001');
    // The stopped one stays so, also once the controller is back.
    await harness.controller.start();
    expect((await harness.inState(7001, 'running')).process.pid).toBe(started);
    expect((await harness.inState(7002, 'stopped')).process.pid).toBeUndefined();
  });

  test('a second agent on the same root is refused', async () => {
    const bundle = join(distDirectory, 'redrover-agent.mjs');
    const args = ['--host', 'h1', '--address', '127.0.0.1', '--controller', '127.0.0.1:1'];
    const { exitCode, stderr } = await execa(
      process.execPath,
      [bundle, 'run', ...args, '--token-file', '/dev/null', '--root', harness.root],
      { reject: false },
    );
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`another redrover-agent (pid ${harness.agentPid}) runs on`);
  });

  test('stop-nodes stops every node of the root, for good', async () => {
    await harness.run(harness.plan(7001));
    await harness.run(harness.plan(7002));
    await harness.killAgent('SIGKILL');
    const bundle = join(distDirectory, 'redrover-agent.mjs');
    const args = [bundle, 'stop-nodes', '--root', harness.root];
    const { stdout } = await execa(process.execPath, args);
    expect(stdout.split('\n').sort()).toEqual([
      'h1:7001: stopped by SHUTDOWN',
      'h1:7002: stopped by SHUTDOWN',
    ]);
    expect(harness.serverPids()).toEqual([]);
    await harness.startAgent();
    await harness.inState(7001, 'stopped');
  });
});

describe('when a server dies', () => {
  test('it is back within seconds, with its data', async () => {
    const pid = await harness.run(harness.plan(7001));
    await harness.controller.step({
      kind: 'claimSlots',
      host: 'h1',
      node: harness.key(7001),
      configEpoch: 1,
      slots: [{ start: 0, end: 16_383 }],
    });
    const before = await harness.inState(7001, 'running');
    process.kill(pid, 'SIGKILL');
    const seen = await until(
      'a new process',
      async () => {
        const [now] = await harness.controller.observe([harness.key(7001)]);
        return now?.process.state === 'running' && now.process.pid !== pid ? now : undefined;
      },
      5_000,
    );
    expect(seen.process).toMatchObject({ restarts: 1, reason: 'killed by SIGKILL' });
    expect(seen.redis?.nodeId).toBe(before.redis?.nodeId);
    expect(seen.redis?.slotsAssigned).toBe(16_384);
  });

  test('one that was adopted is watched and restarted as well', async () => {
    const pid = await harness.run(harness.plan(7001));
    await harness.killAgent('SIGKILL');
    await harness.startAgent();
    await harness.inState(7001, 'running');
    process.kill(pid, 'SIGKILL');
    const seen = await until('a new process', async () => {
      const [now] = await harness.controller.observe([harness.key(7001)]);
      return now?.process.state === 'running' && now.process.pid !== pid ? now : undefined;
    });
    // Only a parent is told the signal: of an adopted process, just that it ended.
    expect(seen.process).toMatchObject({
      restarts: 1,
      reason: expect.stringContaining('ended unseen'),
    });
  });

  test('one that crashes again and again is called a crash loop, with its own words', async () => {
    const pid = await harness.run(harness.plan(7001));
    const config = join(harness.root, '7001/redis.conf');
    const text = await readFile(config, 'utf8');
    await writeFile(config, `${text}no-such-option yes\n`);
    process.kill(pid, 'SIGKILL');
    const seen = await harness.inState(7001, 'crash-loop');
    expect(seen.process.reason).toContain('no-such-option');
    expect(seen.process.restarts).toBeGreaterThanOrEqual(4);
    // Starting it on purpose once the cause is gone need not wait for the next try.
    await writeFile(config, text);
    const node = harness.key(7001);
    await harness.controller.step({ kind: 'startNode', host: 'h1', node });
    expect((await harness.inState(7001, 'running')).process.restarts).toBe(0);
  });

  test('one whose AOF is broken inside is a crash loop that says so, and is rarely tried', async () => {
    const pid = await harness.run(harness.plan(7001));
    const node = harness.key(7001);
    const slots = [{ start: 0, end: 16_383 }];
    const claim = { kind: 'claimSlots', host: 'h1', node, configEpoch: 1, slots } as const;
    await harness.controller.step(claim);
    await until('a write', async () => {
      const { exitCode, text } = await runRedisCli(
        ['-h', harness.address, '-p', '7001', 'set', 'key', 'x'.repeat(1_000)],
        PASSWORD,
      );
      return exitCode === 0 && text.includes('OK');
    });
    process.kill(pid, 'SIGKILL');
    await until('a restart', async () => (await harness.inState(7001, 'running')).process.restarts);
    const again = await harness.inState(7001, 'running');
    const parts = join(harness.root, '7001/appendonlydir');
    const [name = ''] = (await readdir(parts)).filter((each) => each.endsWith('.incr.aof'));
    const content = await readFile(join(parts, name));
    // The length of an argument, in the middle of the file: a cut off end would be repaired.
    content.write('!', content.indexOf('$1000'));
    await writeFile(join(parts, name), content);
    process.kill(again.process.pid ?? 0, 'SIGKILL');
    const looping = await harness.inState(7001, 'crash-loop', 60_000);
    expect(looping.process.reason).toMatch(/exit code 1: .*(Bad file format|append only file)/);
    const tries = looping.process.restarts;
    await delay(5_000);
    expect((await harness.inState(7001, 'crash-loop')).process.restarts).toBe(tries);
    // What is wrong with it can be read from afar.
    const { result } = await harness.controller.send({
      case: 'tailLog',
      value: { node, lines: 20 },
    });
    const { result: log } = await result;
    expect(JSON.stringify(log.value)).toContain('append only file');
  });

  test('one that hangs is unresponsive, and stopped by a signal when asked to', async () => {
    const pid = await harness.run(harness.plan(7001));
    process.kill(pid, 'SIGSTOP');
    await harness.inState(7001, 'unresponsive');
    const node = harness.key(7001);
    const { message } = await harness.controller.step({ kind: 'stopNode', host: 'h1', node });
    expect(message).toBe('stopped by SIGKILL');
    await harness.inState(7001, 'stopped');
  });

  test('one that cannot save its state refuses to stop, and runs on', async () => {
    const config = { appendonly: 'no', save: '3600 1' };
    await harness.run(harness.plan(7001, { config }));
    const directory = join(harness.root, '7001');
    await chmod(directory, 0o500);
    const node = harness.key(7001);
    const stopping = harness.controller.step({ kind: 'stopNode', host: 'h1', node });
    await expect(stopping).rejects.toMatchObject({ code: 'data-loss' });
    expect((await harness.inState(7001, 'running')).process.pid).toBeDefined();
    await chmod(directory, 0o750);
    await harness.controller.step({ kind: 'stopNode', host: 'h1', node });
  });

  test('one whose directory is gone does not start empty in its place', async () => {
    const pid = await harness.run(harness.plan(7001));
    await rename(join(harness.root, '7001'), join(harness.root, 'lost'));
    process.kill(pid, 'SIGKILL');
    await until('the loss to be seen', async () => {
      const [seen] = await harness.controller.observe([harness.key(7001)]);
      return (
        seen?.process.state !== 'running' && /directory|config/.test(seen?.process.reason ?? '')
      );
    });
    expect(harness.serverPids()).toEqual([]);
    await rm(join(harness.root, 'lost'), { recursive: true });
  });
});
