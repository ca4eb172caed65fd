// The distribution's own source archive, with the machine's real apt and its real mirror.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { readHostFacts } from '@redrover/agent';
import { RedroverError, type Release } from '@redrover/core';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { cacheDirectory } from '../../support/paths.ts';
import { until } from '../../support/until.ts';
import { openWorkshop, type BuildHost, type Workshop } from './build-host.ts';

let workshop: Workshop;
let host: BuildHost;

beforeAll(async () => {
  workshop = await openWorkshop();
  // The cache of the other tests: whoever comes first compiles, for a minute or two.
  const { platform } = await readHostFacts({
    rootDirectory: workshop.scratch.path,
    agentVersion: 'test',
  });
  host = await workshop.openHost('h1', { cacheDirectory: cacheDirectory(), platform });
});
afterAll(async () => {
  await workshop.scratch.remove();
});

/** What apt knows of the package; undefined, with the reason printed, where there is none to ask. */
async function resolve(name: string, suite: string) {
  try {
    return await host.builder.resolveApt(name, suite);
  } catch (thrown) {
    const isHere =
      !(thrown instanceof RedroverError) ||
      !['unavailable', 'failed-precondition'].includes(thrown.code);
    if (isHere) throw thrown;
    console.warn(`skipped: ${thrown.message}`);
    return undefined;
  }
}

async function listSystemApt(): Promise<string[]> {
  const folders = ['/var/lib/apt/lists', '/etc/apt', '/etc/apt/sources.list.d'];
  return (await Promise.all(folders.map((path) => readdir(path).catch(() => [])))).flat().sort();
}

test("the archive is found by the signed index, and the system's apt is left as it was", async (context) => {
  const before = await listSystemApt();
  const archive = await resolve('redis', '');
  if (archive === undefined) return context.skip('no apt, or no mirror');
  expect(archive.version).toMatch(/^\d+\.\d+\.\d+$/);
  expect(archive.fileName).toContain(`redis_${archive.version}`);
  expect(archive.sha256).toMatch(/^[0-9a-f]{64}$/);
  expect(await listSystemApt()).toEqual(before);
});

test('what does not exist is not found', async (context) => {
  if ((await resolve('redis', '')) === undefined) return context.skip('no apt, or no mirror');
  await expect(host.builder.resolveApt('no-such-redis', '')).rejects.toMatchObject({
    code: 'not-found',
    message: expect.stringContaining('no source package no-such-redis'),
  });
  await expect(host.builder.resolveApt('redis', 'no-such-suite')).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('no-such-suite'),
  });
  for (const [name, suite] of [
    ['-o=x', ''],
    ['redis', '../x'],
    ['redis', '-x'],
  ] as const) {
    await expect(host.builder.resolveApt(name, suite)).rejects.toMatchObject({
      code: 'invalid-argument',
    });
  }
});

test('a host without apt sources says what to do instead', async () => {
  const other = await workshop.openHost('h2', { etcDirectory: workshop.scratch.path });
  await expect(other.builder.resolveApt('redis', '')).rejects.toMatchObject({
    code: 'failed-precondition',
    message: expect.stringContaining('use the official https: address'),
  });
});

describe('the real Redis', () => {
  test('is built from it and serves', { timeout: 900_000 }, async (context) => {
    const archive = await resolve('redis', '');
    if (archive === undefined) return context.skip('no apt, or no mirror');
    const release: Release = {
      name: `redis-${archive.version}`,
      product: 'redis',
      version: archive.version,
      source: { kind: 'apt', package: 'redis', suite: '' },
      sha256: archive.sha256,
    };
    const build = await host.builder.build(release);
    expect(Object.keys(build.provenance.binaries).sort()).toEqual([
      'redis-benchmark',
      'redis-cli',
      'redis-server',
    ]);
    const found = await host.builder.find(release.name);
    expect(await pingServer(found?.serverBinary ?? '', found?.cliBinary ?? '')).toBe('PONG');
  });
});

/** Starts the server on a socket of its own, asks it, stops it. */
async function pingServer(server: string, cli: string): Promise<string> {
  const socket = join(workshop.scratch.path, 'redis.sock');
  const directory = workshop.scratch.path;
  const running = execa(server, ['--port', '0', '--unixsocket', socket, '--dir', directory], {
    reject: false,
    all: true,
  });
  try {
    return await until('the server answers', async () => {
      const { stdout } = await execa(cli, ['-s', socket, 'ping']);
      return stdout;
    });
  } finally {
    running.kill('SIGTERM');
    await running;
  }
}
