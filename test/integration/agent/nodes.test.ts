/** A node from plan to running server, on the real binary, through a real agent. */
import { Redis } from 'ioredis';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { AgentHarness, cachedBuilds, PASSWORD } from './agent-harness.ts';

let harness: AgentHarness;

/** 65535, unless this machine's hard limit is lower and may not be raised here. */
function reachableNofile(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const hard = Number(/^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1]);
  const status = readFileSync('/proc/self/status', 'utf8');
  const effective = BigInt(`0x${/^CapEff:\s+(\w+)/m.exec(status)?.[1] ?? '0'}`);
  // CAP_SYS_RESOURCE is number 24 (capabilities(7)); containers often take it from root.
  const mayRaise = ((effective >> 24n) & 1n) === 1n;
  return mayRaise ? 65_535 : Math.min(hard, 65_535);
}

beforeAll(async () => {
  harness = await AgentHarness.start();
});
afterAll(() => harness?.stop());

describe('a prepared and started node', () => {
  test('runs with the limits, files and settings of its plan', async () => {
    const plan = harness.plan(7001, { maxmemoryBytes: 64 * 1024 * 1024 });
    const pid = await harness.run(plan);
    const [seen] = await harness.controller.observe([plan.node.key]);
    expect(seen?.process).toMatchObject({ state: 'running', pid, hasData: true, restarts: 0 });
    expect(seen?.process.marker).toEqual({ cluster: 'c1', clusterId: 'id-of-c1', layoutNumber: 1 });
    expect(seen?.redis).toMatchObject({
      version: plan.version,
      role: 'master',
      loading: false,
      aofEnabled: true,
      maxmemoryBytes: 64 * 1024 * 1024,
      nodeTimeoutMs: 2_000,
      replicaNoFailover: false,
    });
    expect(seen?.redis?.view.nodes).toHaveLength(1);

    const nofile = reachableNofile();
    const limits = await readFile(`/proc/${pid}/limits`, 'utf8');
    expect(limits).toMatch(new RegExp(`^Max open files\\s+${nofile}\\s+${nofile}\\s`, 'm'));
    expect(seen?.redis?.nofileSoft).toBe(nofile);
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    expect(status).not.toMatch(/^Uid:\s+0\s/m);
    const directory = join(harness.root, '7001');
    expect((await stat(join(directory, 'redis.conf'))).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toEqual(
      expect.arrayContaining([
        'nodes.conf',
        'redis.conf',
        'redis.log',
        'redis.pid',
        'redrover.json',
      ]),
    );
  });

  test('keeps its password out of its command line, its marker and the log of the agent', async () => {
    const [seen] = await harness.controller.observe([harness.key(7001)]);
    const commandLine = await readFile(`/proc/${seen?.process.pid}/cmdline`, 'utf8');
    const marker = await readFile(join(harness.root, '7001/redrover.json'), 'utf8');
    for (const text of [commandLine, marker, harness.log]) {
      expect(text).not.toContain('correct horse');
    }
    const client = new Redis({
      host: harness.address,
      port: 7001,
      password: PASSWORD,
      protocol: 2,
      retryStrategy: null,
    });
    try {
      expect(await client.ping()).toBe('PONG');
    } finally {
      client.disconnect();
    }
  });

  test('is prepared and started again without any effect', async () => {
    const plan = harness.plan(7001, { maxmemoryBytes: 64 * 1024 * 1024 });
    const before = await harness.controller.observe([plan.node.key]);
    const conf = await stat(join(harness.root, '7001/redis.conf'));
    const pid = await harness.run(plan);
    expect(pid).toBe(before[0]?.process.pid);
    expect((await stat(join(harness.root, '7001/redis.conf'))).ino).toBe(conf.ino);
  });

  test('is stopped cleanly, removed to the trash, and absent afterwards', async () => {
    const plan = harness.plan(7002);
    await harness.run(plan);
    const node = plan.node.key;
    const { message } = await harness.controller.step({ kind: 'stopNode', host: 'h1', node });
    expect(message).toBe('stopped by SHUTDOWN');
    const remove = { kind: 'removeNode', host: 'h1', node, purge: false } as const;
    const { nodes } = await harness.controller.step(remove);
    expect(nodes[0]?.process).toMatchObject({ state: 'absent', hasData: false });
    const [kept = ''] = await readdir(join(harness.root, 'trash'));
    expect(kept).toMatch(/^c1-7002-\d{4}-/);
    expect(await readdir(join(harness.root, 'trash', kept))).toContain('nodes.conf');
    // A second time, as after a lost answer.
    await harness.controller.step({ kind: 'stopNode', host: 'h1', node });
    await harness.controller.step(remove);
  });

  test('leaves nothing behind when it is purged', async () => {
    const plan = harness.plan(7003);
    await harness.run(plan);
    const node = plan.node.key;
    const purge = { kind: 'removeNode', host: 'h1', node, purge: true } as const;
    await expect(harness.controller.step(purge)).rejects.toMatchObject({
      code: 'failed-precondition',
    });
    await harness.controller.step({ kind: 'stopNode', host: 'h1', node });
    await harness.controller.step(purge);
    const trash = await readdir(join(harness.root, 'trash'));
    expect(trash.filter((name) => name.includes('-7003-'))).toEqual([]);
    expect(await readdir(harness.root)).not.toContain('7003');
  });
});

describe('the config', () => {
  const releases = [...new Set(cachedBuilds().map(({ release }) => release))];

  test.each(releases)('is accepted and in force in %s', async (release) => {
    const [product = '', version = ''] = release.split('-');
    const port = 7050 + releases.indexOf(release);
    const config = { 'maxmemory-policy': 'allkeys-lru', save: '900 1 300 10' };
    const change = { release, version, product: product as 'redis' | 'valkey', config };
    await harness.run(harness.plan(port, change));
    const [seen] = await harness.controller.observe([harness.key(port)]);
    expect(seen?.redis).toMatchObject({ version, aofEnabled: true, nodeTimeoutMs: 2_000 });
  });
});

describe('a plan that cannot be', () => {
  test('is refused with the words of the server, and nothing is changed', async () => {
    const running = harness.serverPids().length;
    const plan = harness.plan(7010, { config: { 'appendfsync-typo': 'yes' } });
    await expect(harness.prepare(plan)).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringMatching(/appendfsync-typo.*Bad directive/),
    });
    await expect(readdir(join(harness.root, '7010'))).rejects.toThrow('ENOENT');
    // Neither the trial nor the node is left.
    expect(harness.serverPids()).toHaveLength(running);
  });

  test('leaves a running node and its config alone', async () => {
    const path = join(harness.root, '7001/redis.conf');
    const before = await readFile(path, 'utf8');
    const plan = harness.plan(7001, { config: { 'maxmemory-policy': 'all' } });
    await expect(harness.prepare(plan)).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(await readFile(path, 'utf8')).toBe(before);
    const [seen] = await harness.controller.observe([harness.key(7001)]);
    expect(seen?.process.state).toBe('running');
  });

  test('cannot set what Redrover owns, nor smuggle in a second line', async () => {
    for (const config of [{ dir: '/etc' }, { save: '900 1\nrequirepass ""' }]) {
      const prepared = harness.prepare(harness.plan(7011, { config }));
      await expect(prepared).rejects.toMatchObject({ code: 'invalid-argument' });
    }
  });

  test('is refused over data that Redrover did not put there', async () => {
    const directory = join(harness.root, '7012');
    await mkdir(directory);
    await writeFile(join(directory, 'dump.rdb'), 'REDIS0009');
    await expect(harness.prepare(harness.plan(7012))).rejects.toMatchObject({
      code: 'data-loss',
      message: expect.stringContaining('move the directory away'),
    });
    expect(await readdir(directory)).toEqual(['dump.rdb']);
    const [seen] = await harness.controller.observe([harness.key(7012)]);
    expect(seen?.process).toMatchObject({ state: 'absent', hasData: true, marker: undefined });
  });

  test('is refused over the directory of another cluster', async () => {
    const other = harness.plan(7001, { clusterId: 'another-id', cluster: 'c2' });
    await expect(harness.prepare(other)).rejects.toMatchObject({
      code: 'already-exists',
      message: expect.stringContaining('belongs to the cluster c1'),
    });
  });

  test('is refused where something else listens on the port', async () => {
    const plan = harness.plan(7013);
    const server = createServer().listen(plan.node.busPort, harness.address);
    try {
      await expect(harness.prepare(plan)).rejects.toMatchObject({
        code: 'failed-precondition',
        message: expect.stringContaining('bus port'),
      });
    } finally {
      server.close();
    }
  });

  test('is refused without a build of its release', async () => {
    const plan = harness.plan(7014, { release: 'redis-6.2.14', version: '6.2.14' });
    await expect(harness.prepare(plan)).rejects.toMatchObject({ code: 'failed-precondition' });
  });
});
