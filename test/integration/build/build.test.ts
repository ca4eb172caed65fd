import { createHash } from 'node:crypto';
import { appendFile, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { until } from '../../support/until.ts';
import { listLeftovers, openWorkshop, type Workshop } from './build-host.ts';
import { makeTinySource, releaseOf } from './tiny-source.ts';

let workshop: Workshop;
beforeEach(async () => {
  workshop = await openWorkshop();
});
afterEach(async () => {
  await workshop.scratch.remove();
});

const isRoot = process.getuid?.() === 0;

describe('a build', () => {
  test('is compiled, tried, installed and recorded', async () => {
    const source = await makeTinySource(workshop.scratch.path);
    workshop.upload(source);
    const host = await workshop.openHost('h1');
    const lines: string[] = [];
    const build = await host.builder.build(source.release, { onLine: (line) => lines.push(line) });

    const directory = join(host.rootDirectory, 'releases', 'redis-9.0.1-linux-test');
    const server = await readFile(join(directory, 'bin', 'redis-server'));
    expect(build.provenance).toMatchObject({
      sourceSha256: source.release.sha256,
      sourceLocation: 'upload:redis-9.0.1.tar.gz',
      builtOnHost: 'h1',
      binaries: { 'redis-server': createHash('sha256').update(server).digest('hex') },
    });
    expect(build.provenance.compiler).toMatch(/\d+\.\d+/);
    expect(build.provenance.flags).toContain('MALLOC=jemalloc');
    expect(JSON.parse(await readFile(join(directory, 'provenance.json'), 'utf8'))).toEqual(build);
    expect(lines.some((line) => line.startsWith('make -j'))).toBe(true);
    const { stdout } = await execa(join(directory, 'bin', 'redis-check-aof'));
    expect(stdout).toBe('Redis server v=9.0.1 sha=0');
    expect(await host.builder.installed()).toEqual([{ id: build.id, release: 'redis-9.0.1' }]);
    expect(await host.builder.find('redis-9.0.1')).toMatchObject({
      build,
      serverBinary: join(directory, 'bin', 'redis-server'),
      cliBinary: join(directory, 'bin', 'redis-cli'),
    });
    expect(await readdir(join(host.cacheDirectory, 'scratch'))).toEqual([]);
  });

  test.skipIf(!isRoot)('is compiled by an unprivileged user and owned by root', async () => {
    const source = await makeTinySource(workshop.scratch.path);
    workshop.upload(source);
    const host = await workshop.openHost('h1');
    const lines: string[] = [];
    await host.builder.build(source.release, { onLine: (line) => lines.push(line) });
    expect(lines).toContain('compiling as 65534');
    const found = await host.builder.find(source.release.name);
    expect(await stat(found?.serverBinary ?? '')).toMatchObject({ uid: 0, gid: 0 });
  });

  test('that is installed is not made again; a damaged one is', async () => {
    const source = await makeTinySource(workshop.scratch.path);
    workshop.upload(source);
    const host = await workshop.openHost('h1');
    const first = await host.builder.build(source.release);
    const lines: string[] = [];
    const onLine = (line: string): unknown => lines.push(line);
    expect(await host.builder.build(source.release, { onLine })).toEqual(first);
    expect(lines).toEqual([]);

    const found = await host.builder.find(source.release.name);
    await appendFile(found?.serverBinary ?? '', '# changed\n');
    expect(await host.builder.installed()).toEqual([]);
    expect(await host.builder.find(source.release.name)).toBeUndefined();
    await host.builder.build(source.release, { onLine });
    expect(lines).toEqual(['redis-9.0.1: the build is in the cache']);
    expect(await readFile(found?.serverBinary ?? '', 'utf8')).not.toContain('changed');
  });

  test('is taken from the cache by a second agent, unless it was changed there', async () => {
    const source = await makeTinySource(workshop.scratch.path);
    workshop.upload(source);
    const { builder, cacheDirectory } = await workshop.openHost('h1');
    const build = await builder.build(source.release);
    const lines: string[] = [];
    const onLine = (line: string): unknown => lines.push(line);
    const second = await workshop.openHost('h2');
    expect(await second.builder.build(source.release, { onLine })).toEqual(build);
    expect(lines).toEqual(['redis-9.0.1: the build is in the cache']);

    await appendFile(join(cacheDirectory, 'builds', build.id, 'bin', 'redis-cli'), '# changed\n');
    const third = await workshop.openHost('h3');
    const again = await third.builder.build(source.release, { onLine });
    expect(lines.some((line) => line.startsWith('make -j'))).toBe(true);
    expect(again.provenance.builtOnHost).toBe('h3');
  });

  test('wanted by two agents of a machine at once is compiled once', async () => {
    const marks = join(workshop.scratch.path, 'marks');
    await writeFile(marks, '', { mode: 0o666 });
    await execa('chmod', ['666', marks]);
    const source = await makeTinySource(workshop.scratch.path, {
      recipe: `echo compiled >> ${marks}; sleep 0.5`,
    });
    workshop.upload(source);
    const hosts = await Promise.all(['h1', 'h2', 'h3'].map((name) => workshop.openHost(name)));
    const builds = await Promise.all(hosts.map(({ builder }) => builder.build(source.release)));
    expect(await readFile(marks, 'utf8')).toBe('compiled\n');
    expect(new Set(builds.map(({ id }) => id)).size).toBe(1);
    for (const { builder } of hosts) {
      expect(await builder.find(source.release.name)).toBeDefined();
    }
  });

  test('of one agent waits for the one before it', async () => {
    const marks = join(workshop.scratch.path, 'marks');
    await writeFile(marks, '');
    await execa('chmod', ['666', marks]);
    const recipe = `echo begin >> ${marks}; sleep 0.3; echo end >> ${marks}`;
    const sources = await Promise.all(
      ['9.0.1', '9.0.2'].map((version) =>
        makeTinySource(workshop.scratch.path, { version, recipe }),
      ),
    );
    for (const source of sources) workshop.upload(source);
    const { builder } = await workshop.openHost('h1');
    await Promise.all(sources.map(({ release }) => builder.build(release)));
    expect(await readFile(marks, 'utf8')).toBe('begin\nend\nbegin\nend\n');
  });
});

describe('a build that fails leaves nothing behind', () => {
  test('when the archive has another digest: it is deleted unopened', async () => {
    const source = await makeTinySource(workshop.scratch.path);
    const release = { ...source.release, sha256: 'a'.repeat(64) };
    workshop.uploads.set(release.sha256, source.archive);
    const host = await workshop.openHost('h1');
    await expect(host.builder.build(release)).rejects.toMatchObject({
      code: 'integrity',
      message: expect.stringContaining(`was registered with ${release.sha256}`),
      context: { found: source.release.sha256 },
    });
    expect(await listLeftovers(host)).toEqual([]);
  });

  test('when the archive is cut off', async () => {
    const source = await makeTinySource(workshop.scratch.path);
    await truncate(source.archive, 300);
    const release = await releaseOf(source.archive, '9.0.1');
    workshop.upload({ archive: source.archive, release });
    const host = await workshop.openHost('h1');
    await expect(host.builder.build(release)).rejects.toMatchObject({
      code: 'integrity',
      message: expect.stringContaining('damaged or cut off'),
    });
    expect(await listLeftovers(host)).toEqual([release.sha256]);
  });

  test('when it is not an archive, or not one of Redis', async () => {
    const host = await workshop.openHost('h1');
    const text = join(workshop.scratch.path, 'text');
    await writeFile(text, 'not an archive\n'.repeat(100));
    const release = await releaseOf(text, '9.0.1');
    workshop.upload({ archive: text, release });
    await expect(host.builder.build(release)).rejects.toMatchObject({ code: 'integrity' });

    const other = join(workshop.scratch.path, 'other.tar.gz');
    await execa('tar', ['czf', other, '-C', workshop.scratch.path, 'text']);
    const second = await releaseOf(other, '9.0.1');
    workshop.upload({ archive: other, release: second });
    await expect(host.builder.build(second)).rejects.toMatchObject({
      code: 'integrity',
      message: expect.stringContaining('one folder with a Makefile'),
    });
  });

  test('when the compiler says no: its last lines are in the error', async () => {
    const recipe =
      'for i in $$(seq 50); do echo "line $$i"; done; echo "error: no such thing" >&2; exit 1';
    const source = await makeTinySource(workshop.scratch.path, { recipe });
    workshop.upload(source);
    const host = await workshop.openHost('h1');
    const failure = host.builder.build(source.release);
    await expect(failure).rejects.toMatchObject({
      code: 'build-failed',
      message: expect.stringContaining('error: no such thing'),
      context: { output: expect.stringContaining('line 50') },
    });
    await expect(failure).rejects.toMatchObject({
      message: expect.not.stringContaining('line 2\n'),
    });
    expect(await listLeftovers(host)).toEqual([source.release.sha256]);
    expect(await host.builder.find(source.release.name)).toBeUndefined();
  });

  test('when the compiler runs out of disk: that is what the error says', async () => {
    const recipe = 'echo "cc1: fatal error: write: No space left on device" >&2; seq 100; exit 2';
    const source = await makeTinySource(workshop.scratch.path, { recipe });
    workshop.upload(source);
    const host = await workshop.openHost('h1');
    await expect(host.builder.build(source.release)).rejects.toMatchObject({
      code: 'resource-exhausted',
      message: expect.stringContaining('the disk is full'),
    });
  });

  test('when the archive holds another version than the release', async () => {
    const source = await makeTinySource(workshop.scratch.path, { says: '9.0.2' });
    workshop.upload(source);
    const host = await workshop.openHost('h1');
    await expect(host.builder.build(source.release)).rejects.toMatchObject({
      code: 'integrity',
      message: expect.stringContaining('builds version 9.0.2'),
    });
    expect(await host.builder.installed()).toEqual([]);
  });

  test('when what it made is a link to something else', async () => {
    const recipe = 'rm src/cli.in; ln -s /etc/hostname src/redis-cli; touch src/cli.in';
    const makefile = `cp src/server.in src/redis-server; chmod 755 src/redis-server; ${recipe}; exit 0; #`;
    const source = await makeTinySource(workshop.scratch.path, { recipe: makefile });
    // Only the recipe's own line ends there: the programs of the next one must not come to be.
    await execa('sed', [
      '-i',
      '/for program/,$d',
      join(workshop.scratch.path, 'redis-9.0.1/Makefile'),
    ]);
    await execa('tar', ['czf', source.archive, '-C', workshop.scratch.path, 'redis-9.0.1']);
    const release = await releaseOf(source.archive, '9.0.1');
    workshop.upload({ archive: source.archive, release });
    const host = await workshop.openHost('h1');
    await expect(host.builder.build(release)).rejects.toMatchObject({
      code: 'integrity',
      message: expect.stringContaining('redis-cli, which is no file'),
    });
    expect(await host.builder.installed()).toEqual([]);
  });

  test('when somebody asks to stop: the compiler is gone with all that it started', async () => {
    const pids = join(workshop.scratch.path, 'pids');
    await writeFile(pids, '');
    await execa('chmod', ['666', pids]);
    const recipe = `sleep 600 & echo $$! >> ${pids}; echo $$$$ >> ${pids}; wait`;
    const source = await makeTinySource(workshop.scratch.path, { recipe });
    workshop.upload(source);
    const host = await workshop.openHost('h1');
    const stop = new AbortController();
    const building = host.builder.build(source.release, { signal: stop.signal });
    // Looked at at the end; until then nobody waits for it.
    building.catch(() => undefined);
    const readPids = async (): Promise<string[]> =>
      (await readFile(pids, 'utf8')).split('\n').filter((line) => line !== '');
    await until('the compiler runs', async () => (await readPids()).length === 2);
    stop.abort();
    await expect(building).rejects.toMatchObject({ code: 'cancelled' });
    for (const pid of await readPids()) expect(await isAlive(pid)).toBe(false);
    expect(await listLeftovers(host)).toEqual([source.release.sha256]);
  });
});

async function isAlive(pid: string): Promise<boolean> {
  const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone');
  // A zombie is dead: only its parent, which may be anybody by now, has not asked yet.
  return state !== 'gone' && !/\) Z /.test(state);
}
