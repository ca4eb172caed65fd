/** What is found after the agent was killed between any two of its actions, or its files were damaged. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { until } from '../../support/until.ts';
import { AgentHarness, PASSWORD } from './agent-harness.ts';

const isRoot = process.getuid?.() === 0;

let harness: AgentHarness;
beforeEach(async () => {
  harness = await AgentHarness.start();
});
afterEach(() => harness?.stop());

/** A trial lasts a tenth of a second: it is looked for all the time. */
async function catchServer(): Promise<number> {
  const deadline = performance.now() + 10_000;
  while (performance.now() < deadline) {
    const [pid] = harness.serverPids();
    if (pid !== undefined) return pid;
    await setImmediate();
  }
  throw new Error('no server was started');
}

describe('an agent that was killed', () => {
  test('while it wrote the marker of a new node leaves nothing in the way', async () => {
    await mkdir(join(harness.root, '7001'), { mode: 0o755 });
    const half = '.redrover.json.0f0e0d0c-0b0a-4909-8807-060504030201.tmp';
    await writeFile(join(harness.root, '7001', half), '{"form');
    const pid = await harness.run(harness.plan(7001));
    expect((await harness.inState(7001, 'running')).process.pid).toBe(pid);
  });

  test.skipIf(!isRoot)(
    `before it gave a new directory to the node's user does so next${isRoot ? '' : ' (needs root)'}`,
    async () => {
      await mkdir(join(harness.root, '7001'));
      await chmod(join(harness.root, '7001'), 0o750);
      const pid = await harness.run(harness.plan(7001));
      expect((await harness.inState(7001, 'running')).process.pid).toBe(pid);
    },
  );

  test.each<NodeJS.Signals>(['SIGKILL', 'SIGTERM'])(
    'by %s while it tried a config leaves no server and no password behind',
    async (signal) => {
      const trials = join(harness.root, 'agent/preflight');
      const step = { kind: 'prepareNode', host: 'h1', plan: harness.plan(7001) } as const;
      await harness.controller.send(harness.controller.stepCommand(step, { password: PASSWORD }));
      const trial = await catchServer();
      // It does not answer, so the trial goes on for as long as is needed here.
      process.kill(trial, 'SIGSTOP');
      await harness.killAgent(signal);
      if (signal === 'SIGKILL') await harness.startAgent();
      await until('the trial to be ended', () => harness.serverPids().length === 0, 10_000);
      await until('its files to go', async () => (await readdir(trials)).length === 0, 10_000);
      expect(harness.serverPids()).toEqual([]);
    },
  );

  test('does not take somebody who reads the config for the server', async () => {
    const pid = await harness.run(harness.plan(7001));
    await harness.killAgent('SIGKILL');
    process.kill(pid, 'SIGKILL');
    const directory = join(harness.root, '7001');
    const reader = spawn('tail', ['-f', join(directory, 'redis.conf')], {
      cwd: directory,
      stdio: 'ignore',
    });
    try {
      await once(reader, 'spawn');
      await until('the server to be gone', () => !harness.serverPids().includes(pid));
      await harness.startAgent();
      const seen = await harness.inState(7001, 'running', 10_000);
      expect(seen.process.pid).not.toBe(reader.pid);
    } finally {
      reader.kill('SIGKILL');
    }
  });
});

describe('an agent whose own files are damaged', () => {
  test('does not obey without its fence, and supervises all the same', async () => {
    const pid = await harness.run(harness.plan(7001));
    await harness.killAgent('SIGKILL');
    await writeFile(join(harness.root, 'agent/fence.json'), '{"format":1');
    const hellos = harness.controller.hellos.length;
    harness.spawnAgent();
    await until('the agent to say why', () => harness.log.includes('no controller can be obeyed'));
    process.kill(pid, 'SIGKILL');
    await until('a new server', () => harness.serverPids().some((other) => other !== pid));
    expect(harness.controller.hellos).toHaveLength(hellos);
  });

  test.each([
    ['is no JSON', '{"format":1,'],
    ['lacks half of its fields', '{"format":1}'],
  ])('supervises all other nodes when a record %s', async (_, text) => {
    const pid = await harness.run(harness.plan(7001));
    await harness.run(harness.plan(7002));
    await harness.killAgent('SIGKILL');
    await writeFile(join(harness.root, 'agent/nodes/7002.json'), text);
    process.kill(pid, 'SIGKILL');
    await until('the server to be gone', () => !harness.serverPids().includes(pid));
    await harness.startAgent();
    await harness.inState(7001, 'running');
    expect(harness.log).toContain('7002.json');
    // Preparing it again makes a new record, and its start takes the running server over.
    await harness.run(harness.plan(7002));
    const record = await readFile(join(harness.root, 'agent/nodes/7002.json'), 'utf8');
    expect(JSON.parse(record)).toMatchObject({ key: 'h1:7002', desired: 'run' });
  });
});
