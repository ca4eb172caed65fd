/** Hosts as the command line shows them. Tuning is only looked at: this machine's is not ours to change. */
import { afterAll, beforeAll, expect, test } from 'vitest';

import { TestStack } from '../support/stack.ts';
import { until } from '../support/until.ts';
import { sendSignal } from '@redrover/cli';

let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.start({ withRelease: false });
});

afterAll(async () => stack?.stop());

interface HostJson {
  readonly name: string;
  readonly status: string;
  readonly facts: { readonly cores: number; readonly platform: string };
}

test('hosts are listed with what they are made of', async () => {
  const hosts = await stack.redroverJson<HostJson[]>(['host', 'ls']);
  expect(hosts.map(({ name }) => name)).toEqual(['h1', 'h2', 'h3']);
  for (const { status, facts } of hosts) {
    expect(status).toBe('online');
    expect(facts.cores).toBeGreaterThan(0);
    expect(facts.platform).toMatch(/^linux-/);
  }
  const { stdout } = await stack.redrover(['host', 'ls']);
  expect(stdout).toMatch(/^h1 +127\..* +online +now/m);
});

test('a host is shown', async () => {
  const { stdout, exitCode } = await stack.redrover(['host', 'show', 'h2']);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/Kernel|kernel/);
  expect(stdout).toContain('No nodes.');
});

test('the check shows found, wanted and source of each item', async () => {
  const { exitCode, stdout } = await stack.redrover(['host', 'check', 'h1', '-o', 'json']);
  const items = JSON.parse(stdout) as Record<string, string>[];
  expect(items.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['net.core.somaxconn', 'vm.overcommit_memory', 'nofile']),
  );
  for (const item of items) {
    expect(item).toMatchObject({
      found: expect.any(String),
      wanted: expect.any(String),
      source: expect.stringMatching(/./),
    });
  }
  const settled = items.every(({ state }) => state === 'ok' || state === 'advice');
  expect(exitCode).toBe(settled ? 0 : 2);
  const table = await stack.redrover(['host', 'check', 'h1']);
  expect(table.stdout).toMatch(/ITEM +FOUND +WANTED +STATE +SOURCE/);
  expect(Math.max(...table.stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(160);
});

test('a host whose agent dies is suspect, then lost, and online again when it is back', async () => {
  const agent = stack.stack.agentProcess('h3');
  if (agent === undefined) throw new Error('h3 has no agent');
  const statusOf = async () => {
    const hosts = await stack.redroverJson<HostJson[]>(['host', 'ls']);
    return hosts.find(({ name }) => name === 'h3')?.status;
  };
  sendSignal(agent, 'SIGKILL');
  await until('h3 is lost', async () => (await statusOf()) === 'lost');
  expect((await stack.redrover(['host', 'check', 'h3'])).exitCode).toBe(1);
  await stack.stack.startAgent('h3');
  await until('h3 is online', async () => (await statusOf()) === 'online');
});

test('a lost host is forgotten by name, a living one is not; it comes back by dialling', async () => {
  const living = await stack.redrover(['host', 'rm', 'h2', '--yes']);
  expect(living.exitCode).toBe(1);
  expect(living.stderr).toContain('only a lost one can be forgotten');
  const agent = stack.stack.agentProcess('h3');
  if (agent === undefined) throw new Error('h3 has no agent');
  sendSignal(agent, 'SIGKILL');
  const namesNow = async () =>
    (await stack.redroverJson<HostJson[]>(['host', 'ls'])).map(({ name }) => name);
  await until('h3 is forgotten', async () => {
    const { exitCode } = await stack.redrover(['host', 'rm', 'h3', '--yes']);
    return exitCode === 0;
  });
  expect(await namesNow()).toEqual(['h1', 'h2']);
  expect((await stack.redrover(['host', 'rm', 'h3', '--yes'])).stderr).toContain(
    'no host is called',
  );
  await stack.stack.startAgent('h3');
  await until('h3 is back', async () => (await namesNow()).includes('h3'));
});
