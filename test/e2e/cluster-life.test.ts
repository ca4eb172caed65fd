/** A cluster from its plan to its removal, through the command line alone. */
import { identifyProcess } from '@redrover/cli';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { connectCluster, countKeys, writeKeys } from '../support/cluster-client.ts';
import { TestStack } from '../support/stack.ts';
import { askWitness } from '../support/witness.ts';

interface NodeJson {
  readonly id: string;
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly role: string;
  readonly shard: string;
  readonly slots: readonly string[];
  readonly pid: number;
}

let stack: TestStack;
let spec: string;

beforeAll(async () => {
  stack = await TestStack.start();
  spec = await stack.writeSpec({ name: 'shop' });
});

afterAll(async () => stack?.stop());

async function nodes(): Promise<readonly NodeJson[]> {
  return (await stack.redroverJson<{ nodes: NodeJson[] }>(['cluster', 'show', 'shop'])).nodes;
}

async function seed() {
  const [first] = await nodes();
  if (first === undefined) throw new Error('no nodes');
  const { password } = await stack.credentials('shop');
  return { address: first.address, port: first.port, password };
}

describe('a cluster of 3 + 3 on three hosts', () => {
  test('is planned before anything changes, with exit code 2', async () => {
    const { exitCode, stdout } = await stack.redrover(['cluster', 'plan', '-f', spec]);
    expect(exitCode).toBe(2);
    for (const host of stack.hostNames) expect(stdout).toContain(host);
    expect(stdout).toMatch(/0-5460/);
    const { stdout: list } = await stack.redrover(['cluster', 'ls', '-o', 'json']);
    expect(JSON.parse(list)).toEqual([]);
  });

  test('is not created without an approval: no terminal, no --yes', async () => {
    const { exitCode, stderr } = await stack.redrover(['cluster', 'apply', '-f', spec]);
    expect(exitCode).toBe(64);
    expect(stderr).toContain('--yes');
    expect(JSON.parse((await stack.redrover(['cluster', 'ls', '-o', 'json'])).stdout)).toEqual([]);
  });

  test('is created, and each finished step is a line in a pipe', async () => {
    const applied = await stack.redrover(['cluster', 'apply', '-f', spec, '--yes']);
    expect(applied, applied.stderr).toMatchObject({ exitCode: 0 });
    expect(applied.stderr).toMatch(/done +start h1:/);
    expect(applied.stdout).toMatch(/^done: create shop/);
    // oxlint-disable-next-line no-control-regex
    expect(applied.stderr + applied.stdout).not.toMatch(/\u001b/);
  });

  test('has the nodes, roles and slots that were planned', async () => {
    const all = await nodes();
    expect(all).toHaveLength(6);
    for (const node of all) {
      expect(node.id).toMatch(/^[0-9a-f]{40}$/);
      expect(stack.hostNames).toContain(node.host);
      expect(node.address).toMatch(/^127\./);
      expect(node.port).toBeGreaterThan(1023);
      expect(['master', 'replica']).toContain(node.role);
    }
    const masters = all.filter(({ role }) => role === 'master');
    expect(new Set(masters.map(({ host }) => host)).size).toBe(3);
    const covered = masters
      .flatMap(({ slots }) => slots)
      .map((range) => range.split('-').map(Number));
    expect(covered.reduce((sum, [start = 0, end = start]) => sum + end - start + 1, 0)).toBe(16384);
    for (const shard of new Set(all.map((node) => node.shard))) {
      const members = all.filter((node) => node.shard === shard);
      expect(new Set(members.map(({ host }) => host)).size).toBe(members.length);
    }
  });

  test('is healthy in the eyes of redis-cli', async () => {
    const verdict = await askWitness(await seed());
    expect(verdict, verdict.text).toMatchObject({
      ok: true,
      masters: 3,
      replicas: 3,
      slotsCovered: 16384,
    });
  });

  test('takes writes of another client on all its slots', async () => {
    const client = connectCluster(await seed());
    try {
      await writeKeys(client, 'life', 300);
      expect(await countKeys(client, 'life', 300)).toBe(300);
    } finally {
      client.disconnect();
    }
  });

  test('lets nobody in without the password', async () => {
    const { address, port } = await seed();
    const verdict = await askWitness({ address, port, password: 'wrong' });
    expect(verdict.ok).toBe(false);
    expect(verdict.text).toMatch(/WRONGPASS|NOAUTH/);
  });

  test('has its password in no command line and no log', async () => {
    const { password } = await seed();
    expect(password.length).toBeGreaterThan(20);
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      let commandLine = '';
      try {
        commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        // It ended between the two looks.
      }
      expect(commandLine).not.toContain(password);
    }
    for (const name of ['controller', ...stack.hostNames.map((host) => `agent-${host}`)]) {
      expect(stack.logOf(name)).not.toContain(password);
    }
  });

  test('is checked, listed, shown', async () => {
    const check = await stack.redrover(['cluster', 'check', 'shop', '-o', 'json']);
    const { findings, passed } = JSON.parse(check.stdout) as {
      findings: { rule: string; severity: string }[];
      passed: string[];
    };
    // A container may forbid even root to raise limits: that is the machine's, not the cluster's.
    const rules = findings.filter(({ severity }) => severity !== 'info').map(({ rule }) => rule);
    expect(rules.filter((rule) => rule !== 'nofile-low')).toEqual([]);
    expect(check.exitCode).toBe(rules.length === 0 ? 0 : 2);
    expect(passed).toContain('16384 of 16384 slots covered');
    const text = await stack.redrover(['cluster', 'check', 'shop']);
    expect(text.stdout).toMatch(/^ok {2}16384 of 16384 slots covered$/m);
    const list = await stack.redroverJson<{ name: string; health: string }[]>(['cluster', 'ls']);
    expect(list).toMatchObject([{ name: 'shop', health: 'ok' }]);
    const table = await stack.redrover(['cluster', 'show', 'shop']);
    expect(table.stdout).toMatch(/s1 .*master/);
    expect(Math.max(...table.stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(
      140,
    );
    const all = await stack.redroverJson<{ disagreements: string[] }[]>([
      'cluster',
      'nodes',
      'shop',
    ]);
    expect(all.flatMap(({ disagreements }) => disagreements)).toEqual([]);
  });

  test('is shown as YAML too', async () => {
    const { stdout } = await stack.redrover(['cluster', 'show', 'shop', '-o', 'yaml']);
    expect(stdout).toMatch(/^name: shop$/m);
    expect(stdout).toMatch(/^ {2}- id: [0-9a-f]{40}$/m);
  });

  test('gives user name and password as JSON', async () => {
    expect(await stack.credentials('shop')).toEqual({
      username: 'default',
      password: expect.stringMatching(/^\S{20,}$/),
    });
  });

  test('is connected to with redis-cli, arguments passed through', async () => {
    const set = await stack.redrover([
      'cluster',
      'connect',
      'shop',
      '--',
      'SET',
      'greeting',
      'hello',
    ]);
    expect(set, set.stderr).toMatchObject({ exitCode: 0, stdout: 'OK' });
    const get = await stack.redrover(['cluster', 'connect', 'shop', '--', 'GET', 'greeting']);
    expect(get.stdout).toBe('hello');
  });

  test('shows the log of a node', async () => {
    const node = (await nodes()).find(({ host }) => host === 'h1');
    const log = await stack.redrover(['cluster', 'logs', 'shop', `h1:${node?.port}`, '-n', '20']);
    expect(log, log.stderr).toMatchObject({ exitCode: 0 });
    expect(log.stdout.split('\n').length).toBeLessThanOrEqual(20);
    expect(log.stdout).toMatch(/\d+:[MS] /);
  });

  test('has nothing to change when its spec is applied again', async () => {
    const planned = await stack.redrover(['cluster', 'plan', '-f', spec]);
    expect(planned, planned.stdout + planned.stderr).toMatchObject({ exitCode: 0 });
    const before = (await nodes()).map(({ pid }) => pid);
    const applied = await stack.redrover(['cluster', 'apply', '-f', spec, '--yes']);
    expect(applied, applied.stderr).toMatchObject({ exitCode: 0 });
    expect((await nodes()).map(({ pid }) => pid)).toEqual(before);
  });

  test('is not changed by another spec under its name', async () => {
    const other = await stack.writeSpec({ name: 'shop', nodeTimeoutMs: 9000 });
    try {
      for (const command of ['plan', 'apply']) {
        const result = await stack.redrover(['cluster', command, '-f', other, '--yes']);
        expect(result.exitCode).toBe(1);
        expect(result.stderr).toContain('nodeTimeoutMs');
      }
    } finally {
      await stack.writeSpec({ name: 'shop' });
    }
  });

  test('has operations that can be listed and shown', async () => {
    const list = await stack.redroverJson<{ id: string; state: string; kind: string }[]>([
      'op',
      'ls',
    ]);
    expect(list).toMatchObject([{ kind: 'create', state: 'done' }]);
    const shown = await stack.redroverJson<{ attempts: unknown[] }>([
      'op',
      'show',
      list[0]?.id ?? '',
    ]);
    expect(shown.attempts.length).toBeGreaterThan(10);
    const watched = await stack.redrover(['op', 'watch', list[0]?.id ?? '']);
    expect(watched, watched.stderr).toMatchObject({ exitCode: 0 });
  });

  test('is not removed without its name or --yes', async () => {
    const { exitCode, stderr } = await stack.redrover(['cluster', 'rm', 'shop']);
    expect(exitCode).toBe(64);
    expect(stderr).toContain('trash');
    expect(await nodes()).toHaveLength(6);
  });

  test('is removed, its data kept in the trash', async () => {
    const pids = (await nodes()).map(({ pid }) => pid);
    const removed = await stack.redrover(['cluster', 'rm', 'shop', '--yes']);
    expect(removed, removed.stderr).toMatchObject({ exitCode: 0 });
    for (const pid of pids) expect(identifyProcess(pid)).toBeUndefined();
    for (const host of stack.hostNames) {
      const root = stack.stack.paths.hostRoot(host);
      expect(readdirSync(join(root, 'trash')).length).toBe(2);
      expect(readdirSync(root).filter((name) => /^\d+$/.test(name))).toEqual([]);
    }
    const shown = await stack.redrover(['cluster', 'show', 'shop']);
    expect(shown.exitCode).toBe(1);
    expect(shown.stderr).toContain('shop');
  });

  test('is created again under its name, and purged', async () => {
    const applied = await stack.redrover(['cluster', 'apply', '-f', spec, '--yes']);
    expect(applied, applied.stderr).toMatchObject({ exitCode: 0 });
    const removed = await stack.redrover(['cluster', 'rm', 'shop', '--purge', '--yes']);
    expect(removed, removed.stderr).toMatchObject({ exitCode: 0 });
    for (const host of stack.hostNames) {
      const root = stack.stack.paths.hostRoot(host);
      // Still only what the first removal put there.
      expect(readdirSync(join(root, 'trash')).length).toBe(2);
      expect(readdirSync(root).filter((name) => /^\d+$/.test(name))).toEqual([]);
    }
  });
});
