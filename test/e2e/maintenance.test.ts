/** Hosts drained, replaced and readdressed, and every key still there. */
import { endProcess, identifyProcess } from '@redrover/cli';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { MaintainedCluster, succeed } from '../support/maintained-cluster.ts';
import { TestStack } from '../support/stack.ts';
import type { CommandResult } from '../support/stack.ts';
import { until } from '../support/until.ts';

let stack: TestStack;
let shop: MaintainedCluster;
let cache: MaintainedCluster;

beforeAll(async () => {
  stack = await TestStack.start({ hosts: 4 });
  shop = await MaintainedCluster.create(stack, {
    name: 'shop',
    placement: { hosts: ['h1', 'h2', 'h3'] },
  });
});

afterAll(async () => stack?.stop());

async function run(...args: readonly string[]): Promise<CommandResult> {
  return succeed(stack, ...args);
}

async function layoutNumber(): Promise<number> {
  return (await stack.layout('shop')).number;
}

/** Runs it in vain: the exit code and the reason are as expected, and no layout was made. */
async function expectRefused(
  args: readonly string[],
  { exitCode, message }: { readonly exitCode: number; readonly message: RegExp },
): Promise<void> {
  const before = await layoutNumber();
  const result = await stack.redrover([...args, '--yes']);
  expect(result.exitCode, result.stdout + result.stderr).toBe(exitCode);
  expect(result.stdout + result.stderr).toMatch(message);
  expect(await layoutNumber()).toBe(before);
}

describe('maintenance of a host', () => {
  test('is shown before it is approved', async () => {
    const planned = await stack.redrover(['host', 'drain', 'h2', '--plan']);
    expect(planned.exitCode, planned.stderr).toBe(2);
    expect(planned.stdout).toMatch(/h2:\d+ +master +stopped/);
    expect(planned.stdout).toMatch(/replica +master meanwhile/);
    expect(planned.stdout).toMatch(/make h\d:\d+ the master of s\d in place of h2:\d+/);
    expect(await stack.redrover(['host', 'drain', 'h2'])).toMatchObject({ exitCode: 64 });
    for (const { state } of await shop.nodesOn('h2')) expect(state).toBe('running');
  });

  test('hands masters off, stops the nodes, and loses nothing', async () => {
    const before = await shop.nodesOn('h2');
    const { stdout, stderr } = await run('host', 'drain', 'h2', '--yes');
    expect(stdout).toMatch(/^done: drain host h2 \(shop\)/);
    expect(stderr).toContain('redrover host undrain h2');
    for (const { pid } of before) expect(identifyProcess(pid ?? 0)).toBeUndefined();
    const info = await shop.ask(await shop.someNode(), 'CLUSTER', 'INFO');
    expect(info).toContain('cluster_state:ok');
    expect(info).toContain('cluster_slots_ok:16384');
    expect(await shop.keysLost()).toBe(0);
  });

  test('is shown wherever the host or cluster is', async () => {
    expect((await run('host', 'ls')).stdout).toMatch(/^h2 .*drained/m);
    expect((await run('host', 'show', 'h2')).stdout).toContain('redrover host undrain h2');
    const shown = (await run('cluster', 'show', 'shop')).stdout;
    expect(shown).toContain('drained for maintenance: h2');
    expect(shown).not.toMatch(/master\*/);
    expect((await run('op', 'ls')).stdout).toContain('drain host h2');
  });

  test('is no reason to repair', async () => {
    const { stdout } = await run('cluster', 'repair', 'shop', '--yes');
    expect(stdout).toContain('nothing to repair');
  });

  test.each([
    ['a second host', ['host', 'drain', 'h3'], /masters/],
    ['the same host', ['host', 'drain', 'h2'], /drained/],
    ['a host that is not there', ['host', 'drain', 'h9'], /h9/],
    ['an undrain of another', ['host', 'undrain', 'h1'], /not drained/],
  ])('%s is refused with the reason, and nothing is changed', async (_, args, message) => {
    await expectRefused(args, { exitCode: 1, message });
  });

  test('ends with every node and role as before', async () => {
    const { stdout } = await run('host', 'undrain', 'h2', '--yes');
    expect(stdout).toMatch(/^done: undrain host h2 \(shop\)/);
    expect(await shop.rolesAway()).toEqual([]);
    await shop.untilHealthy();
    expect(await shop.keysLost()).toBe(0);
    expect((await run('host', 'ls')).stdout).not.toContain('drained');
  });
});

describe('a host that goes for good', () => {
  test.each([
    ['one that is online', ['h3', '--with', 'h4'], 1, /drain h3 --move/],
    ['with one that is not there', ['h3', '--with', 'h9'], 1, /h9/],
    ['with itself', ['h3', '--with', 'h3'], 64, /itself/],
    ['with nobody', ['h3'], 64, /--with/],
  ])('is not replaced: %s', async (_, args, exitCode, message) => {
    await expectRefused(['host', 'replace', ...args], { exitCode, message });
  });

  test('is replaced once it is lost, its data copied and its nodes forgotten', async () => {
    const lost = await shop.nodesOn('h3');
    await shop.killHost('h3');
    await until('h3 is lost', async () => {
      const hosts = await stack.redroverJson<{ name: string; status: string }[]>(['host', 'ls']);
      return hosts.some(({ name, status }) => name === 'h3' && status === 'lost');
    });
    const { stdout, stderr } = await run('host', 'replace', 'h3', '--with', 'h4', '--yes');
    expect(stderr).toMatch(/h3:\d+ .*h4:\d+, master/);
    expect(stdout).toMatch(/^done: replace host h3 with h4 \(shop\)/);
    const hosts = new Set((await shop.nodes()).map(({ host }) => host));
    expect(hosts).toEqual(new Set(['h1', 'h2', 'h4']));
    expect(await shop.rolesAway()).toEqual([]);
    await shop.untilHealthy();
    expect(await shop.keysLost()).toBe(0);
    for (const host of hosts) {
      const known = await shop.ask(await shop.someNode(host), 'CLUSTER', 'NODES');
      for (const { id } of lost) expect(known).not.toContain(id);
    }
  });
});

describe('a host with another address', () => {
  test('has nothing to do while it is the one that its nodes have', async () => {
    const args = ['host', 'readdress', 'h2'];
    await expectRefused(args, { exitCode: 1, message: /address/ });
  });

  test('gets its nodes announced there', async () => {
    const before = await shop.nodesOn('h2');
    const address = before[0]?.address.replace(/\d+$/, '77') ?? '';
    const agent = stack.stack.agentProcess('h2');
    if (agent === undefined) throw new Error('h2 has no agent');
    await endProcess(agent, { graceMs: 10_000 });
    await stack.stack.startAgent('h2', address);
    await until('h2 is known by its new address', async () => {
      const hosts = await stack.redroverJson<{ address: string }[]>(['host', 'ls']);
      return hosts.some((each) => each.address === address);
    });
    const { stdout, stderr } = await run('host', 'readdress', 'h2', '--yes');
    expect(stderr).toContain(`at ${address}`);
    expect(stdout).toMatch(/^done: readdress host h2 \(shop\)/);
    for (const node of await shop.nodesOn('h2')) expect(node.address).toBe(address);
    expect(await shop.rolesAway()).toEqual([]);
    await shop.untilHealthy();
    expect(await shop.keysLost()).toBe(0);
    const known = await shop.ask(await shop.someNode('h1'), 'CLUSTER', 'NODES');
    for (const node of before) expect(known).not.toContain(`${node.address}:`);
  });
});

describe('a host with nodes of several clusters', () => {
  test('is drained with one approval, and all of them are told', async () => {
    cache = await MaintainedCluster.create(stack, {
      name: 'cache',
      placement: { basePort: 7100 },
    });
    const { stdout, stderr } = await run('host', 'drain', 'h4', '--yes');
    for (const name of ['shop', 'cache']) {
      expect(stdout).toMatch(new RegExp(`^done: drain host h4 \\(${name}\\)`, 'm'));
      expect(stderr).toMatch(new RegExp(`^${name} .*done`, 'm'));
    }
    const args = ['host', 'undrain', 'h4', '--yes'];
    const back = await stack.redroverJson<{ cluster: string; state: string }[]>(args);
    expect(back.map(({ cluster }) => cluster).toSorted()).toEqual(['cache', 'shop']);
    expect(back.every(({ state }) => state === 'done')).toBe(true);
    for (const cluster of [shop, cache]) {
      await cluster.untilHealthy();
      expect(await cluster.keysLost()).toBe(0);
    }
  });
});

describe('a host that is given back', () => {
  const args = ['host', 'drain', 'h4', '--move'];

  test('stays where the hosts of a spec could not hold its nodes, with what would work', async () => {
    await stack.stack.startAgent('h3');
    await until('h3 is online', async () => {
      const hosts = await stack.redroverJson<{ name: string; status: string }[]>(['host', 'ls']);
      return hosts.some(({ name, status }) => name === 'h3' && status === 'online');
    });
    await expectRefused(args, { exitCode: 1, message: /majority[^]*host drain h4 \(nodes stay/ });
  });

  test('is drained with its nodes moved, and carries none afterwards', async () => {
    await run('cluster', 'rm', 'shop', '--yes');
    const before = await cache.nodesOn('h4');
    const { stderr } = await run(...args, '--yes');
    expect(stderr).toMatch(/h4:\d+ .*h3:\d+, /);
    expect(await cache.nodesOn('h4')).toEqual([]);
    for (const { pid } of before) expect(identifyProcess(pid ?? 0)).toBeUndefined();
    expect(await cache.rolesAway()).toEqual([]);
    await cache.untilHealthy();
    expect(await cache.keysLost()).toBe(0);
  });
});
