/** `npm run playground`, from a detached start to the last process gone. */
import { identifyProcess, isRunning, readRecord } from '@redrover/cli';
import { execa } from 'execa';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { distDirectory, repositoryRoot } from '../support/paths.ts';
import { createScratchDirectory } from '../support/scratch.ts';
import type { Scratch } from '../support/scratch.ts';
import { until } from '../support/until.ts';
import { askWitness } from '../support/witness.ts';

let scratch: Scratch;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  scratch = await createScratchDirectory('playground');
  env = {
    REDROVER_PLAYGROUND_DIR: join(scratch.path, 'playgrounds'),
    REDROVER_CONFIG: join(scratch.path, 'config.yaml'),
    NO_COLOR: '1',
  };
});

afterAll(async () => {
  await playground('down');
  await scratch?.remove();
});

// Includes, on a machine without the build in its cache, a compile of Redis.
const PLAYGROUND_TIMEOUT_MS = 600_000;

const script = [join(repositoryRoot, 'scripts', 'bootstrap.mjs'), 'playground'];

async function playground(...args: readonly string[]) {
  return execa(process.execPath, [...script, ...args], {
    reject: false,
    env,
    stdin: 'ignore',
    timeout: PLAYGROUND_TIMEOUT_MS,
  });
}

async function redrover(...args: readonly string[]) {
  const cli = join(distDirectory, 'redrover.mjs');
  return execa(process.execPath, [cli, ...args], { reject: false, env, stdin: 'ignore' });
}

function directoryOf(name: string): string {
  return join(scratch.path, 'playgrounds', name);
}

interface NodeJson {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly role: string;
  readonly pid: number;
}

async function nodesOf(name: string): Promise<readonly NodeJson[]> {
  const { stdout } = await redrover('cluster', 'show', name, '--context', name, '-o', 'json');
  return (JSON.parse(stdout) as { nodes: NodeJson[] }).nodes;
}

async function expectHealthy(name: string): Promise<void> {
  const [seed] = await nodesOf(name);
  const { stdout } = await redrover(
    'cluster',
    'credentials',
    name,
    '--context',
    name,
    '-o',
    'json',
  );
  const { password } = JSON.parse(stdout) as { password: string };
  const verdict = await askWitness({
    address: seed?.address ?? '',
    port: seed?.port ?? 0,
    password,
  });
  expect(verdict, verdict.text).toMatchObject({ ok: true, masters: 3, replicas: 3 });
}

function processesOf(name: string) {
  const { controller, agents } = readRecord(directoryOf(name));
  return [controller, ...Object.values(agents)].filter((identity) => identity !== undefined);
}

describe('in the background', () => {
  let programs: ReturnType<typeof processesOf>;
  let pids: readonly number[];

  test(
    'one command makes a cluster of 3 + 3 on 127.0.0.11 to 13',
    { timeout: PLAYGROUND_TIMEOUT_MS },
    async () => {
      const started = await playground('--detach');
      expect(started.exitCode, started.stderr).toBe(0);
      expect(started.stdout).toContain('npx redrover cluster show playground');
      const nodes = await nodesOf('playground');
      expect(nodes).toHaveLength(6);
      const addresses = ['127.0.0.11', '127.0.0.12', '127.0.0.13'];
      expect([...new Set(nodes.map(({ address }) => address))].sort()).toEqual(addresses);
      await expectHealthy('playground');
      programs = processesOf('playground');
      pids = nodes.map(({ pid }) => pid);
      expect(programs).toHaveLength(4);
    },
  );

  test('its status is shown, and the command line finds it by itself', async () => {
    const { stdout } = await playground('status');
    expect(stdout).toMatch(/playground +running/);
    const checked = await redrover('cluster', 'check', 'playground');
    expect(checked.stdout).toContain('ok  16384 of 16384 slots covered');
    expect(checked.stdout).not.toContain('critical');
    const connected = await redrover('cluster', 'connect', 'playground', '--', 'PING');
    expect(connected.stdout).toBe('PONG');
  });

  test(
    'a second one gets a name and ports of its own',
    { timeout: PLAYGROUND_TIMEOUT_MS },
    async () => {
      const second = await playground('--detach', '--shards', '3', '--replicas', '1');
      expect(second.exitCode, second.stderr).toBe(0);
      await expectHealthy('playground-2');
      const taken = (await nodesOf('playground-2')).map(
        ({ address, port }) => `${address}:${port}`,
      );
      const contexts = await redrover('context', 'ls', '-o', 'json');
      expect(JSON.parse(contexts.stdout)).toMatchObject([
        { name: 'playground', current: false },
        { name: 'playground-2', current: true },
      ]);
      expect((await playground('down', '--name', 'playground-2')).exitCode).toBe(0);
      const first = (await nodesOf('playground')).map(({ address, port }) => `${address}:${port}`);
      expect(first.filter((each) => taken.includes(each))).toEqual([]);
      await expectHealthy('playground');
    },
  );

  test('a name that runs is not taken twice', async () => {
    const again = await playground('--detach', '--name', 'playground');
    expect(again.exitCode).toBe(1);
    expect(again.stderr).toContain('down --name playground');
    await expectHealthy('playground');
  });

  test('down leaves no process, no file and no context', async () => {
    const down = await playground('down');
    expect(down.exitCode, down.stderr).toBe(0);
    for (const identity of programs) expect(isRunning(identity)).toBe(false);
    for (const pid of pids) expect(identifyProcess(pid)).toBeUndefined();
    expect(existsSync(directoryOf('playground'))).toBe(false);
    expect(JSON.parse((await redrover('context', 'ls', '-o', 'json')).stdout)).toEqual([]);
  });

  test('down with nothing running is done', async () => {
    expect(await playground('down')).toMatchObject({ exitCode: 0 });
    expect((await playground('status')).stdout).toContain('No playground is running');
  });
});

test('two at once do not collide', { timeout: PLAYGROUND_TIMEOUT_MS }, async () => {
  const both = await Promise.all([playground('--detach'), playground('--detach')]);
  for (const { exitCode, stderr } of both) expect(exitCode, stderr).toBe(0);
  await expectHealthy('playground');
  await expectHealthy('playground-2');
  const programs = [...processesOf('playground'), ...processesOf('playground-2')];
  expect(programs).toHaveLength(8);
  expect(await playground('down')).toMatchObject({ exitCode: 0 });
  expect(programs.some(isRunning)).toBe(false);
});

describe('in the foreground', () => {
  function startInForeground(...args: readonly string[]) {
    const child = execa(process.execPath, [...script, ...args], {
      reject: false,
      env,
      stdin: 'ignore',
      // As a terminal would: one group, so that a Ctrl-C reaches all of it.
      detached: true,
      timeout: PLAYGROUND_TIMEOUT_MS,
      cleanup: true,
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const saying = (text: string) =>
      until(`"${text}" (said: ${said})`, () => said.includes(text), PLAYGROUND_TIMEOUT_MS);
    const groupOf = (): number => -(child.pid ?? Number.NaN);
    return { child, saying, groupOf };
  }

  test('Ctrl-C stops everything it started', { timeout: PLAYGROUND_TIMEOUT_MS }, async () => {
    const { child, saying, groupOf } = startInForeground('--name', 'front');
    await saying('Ctrl-C stops it');
    const pids = (await nodesOf('front')).map(({ pid }) => pid);
    const programs = processesOf('front');
    process.kill(groupOf(), 'SIGINT');
    expect((await child).exitCode).toBe(0);
    for (const identity of programs) expect(isRunning(identity)).toBe(false);
    for (const pid of pids) expect(identifyProcess(pid)).toBeUndefined();
    expect(existsSync(directoryOf('front'))).toBe(false);
  });

  test(
    'Ctrl-C in the middle of the creation does too',
    { timeout: PLAYGROUND_TIMEOUT_MS },
    async () => {
      const { child, saying, groupOf } = startInForeground('--name', 'hasty');
      await saying('done     prepare');
      const programs = processesOf('hasty');
      process.kill(groupOf(), 'SIGINT');
      expect((await child).exitCode).toBe(130);
      for (const identity of programs) expect(isRunning(identity)).toBe(false);
      expect(existsSync(directoryOf('hasty'))).toBe(false);
    },
  );

  test(
    'what a killed one leaves is cleaned up by down',
    { timeout: PLAYGROUND_TIMEOUT_MS },
    async () => {
      const { child, saying, groupOf } = startInForeground('--name', 'crash');
      await saying('Ctrl-C stops it');
      const programs = processesOf('crash');
      const pids = (await nodesOf('crash')).map(({ pid }) => pid);
      process.kill(groupOf(), 'SIGKILL');
      await child;
      expect(programs.every(isRunning)).toBe(true);
      expect((await playground('status')).stdout).toMatch(/crash +leftover/);
      expect(await playground('down')).toMatchObject({ exitCode: 0 });
      for (const identity of programs) expect(isRunning(identity)).toBe(false);
      for (const pid of pids) expect(identifyProcess(pid)).toBeUndefined();
      expect(existsSync(directoryOf('crash'))).toBe(false);
    },
  );
});

describe('a wrong command line', () => {
  test.each([
    ['no hosts', ['--hosts', '0']],
    ['an unknown command', ['up']],
    ['a name that is none', ['--name', 'Not A Name']],
  ])('%s: exit code 64, nothing started', async (_, args) => {
    const { exitCode, stderr } = await playground(...args);
    expect(exitCode).toBe(64);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect((await playground('status')).stdout).toContain('No playground is running');
  });

  test('a release that is nowhere to be had leaves nothing running', async () => {
    // No such version was ever released, so neither the project nor a distribution has it.
    const { exitCode, stderr } = await playground('--detach', '--release', 'redis-6.0.99');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('redis-6.0.99');
    expect((await playground('status')).stdout).toContain('No playground is running');
  });
});
