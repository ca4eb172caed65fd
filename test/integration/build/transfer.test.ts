import { createReadStream } from 'node:fs';
import { appendFile, chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Build, Release } from '@redrover/core';
import { create, extract } from 'tar';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { listLeftovers, openWorkshop, type BuildHost, type Workshop } from './build-host.ts';
import { makeTinySource } from './tiny-source.ts';

interface Packed {
  readonly path: string;
  readonly sha256?: string;
  readonly sizeBytes?: number;
}

let workshop: Workshop;
let release: Release;
let build: Build;
let packed: Packed;
let receiver: BuildHost;

beforeEach(async () => {
  workshop = await openWorkshop();
  const source = await makeTinySource(workshop.scratch.path);
  workshop.upload(source);
  ({ release } = source);
  const { builder } = await workshop.openHost('h1');
  build = await builder.build(release);
  packed = await builder.pack(build.id);
  receiver = await workshop.openHost('h2', {
    // A machine of its own: nothing comes from the first one's cache.
    cacheDirectory: join(workshop.scratch.path, 'cache-of-h2'),
    fetchBuild: async () => ({ ...packed, chunks: createReadStream(packed.path) }),
  });
});
afterEach(async () => {
  await workshop.scratch.remove();
});

/** Packs the build again after a change to what is in it. */
async function repack(change: (directory: string) => Promise<void>): Promise<void> {
  const directory = join(workshop.scratch.path, 'repacked');
  await mkdir(directory);
  await extract({ file: packed.path, cwd: directory });
  await change(directory);
  const path = join(workshop.scratch.path, 'repacked.tar.gz');
  await create({ file: path, cwd: directory, gzip: true }, ['provenance.json', 'bin']);
  packed = { path };
}

test('a packed build is installed as it was made', async () => {
  expect(await receiver.builder.fetch(release, build.id)).toEqual(build);
  const found = await receiver.builder.find(release.name);
  expect(found?.build.provenance.builtOnHost).toBe('h1');
  expect(await readFile(found?.serverBinary ?? '', 'utf8')).toContain('Redis server');
  // And from its cache, when the root is new.
  const { builder } = await workshop.openHost('h3', { cacheDirectory: receiver.cacheDirectory });
  expect(await builder.fetch(release, build.id)).toEqual(build);
});

/** Fails with the code and message, and leaves nothing behind. */
async function expectRefused(fetching: Promise<unknown>, error: object): Promise<void> {
  await expect(fetching).rejects.toMatchObject(error);
  expect(await receiver.builder.installed()).toEqual([]);
  expect(await listLeftovers(receiver)).toEqual([]);
}

describe('a packed build is refused and nothing is left of it', () => {
  test('when a binary in it was changed', async () => {
    await repack((directory) => appendFile(join(directory, 'bin', 'redis-cli'), '# changed'));
    await expectRefused(receiver.builder.fetch(release, build.id), {
      code: 'integrity',
      context: { binary: 'redis-cli' },
    });
  });

  test('when provenance was changed along with it', async () => {
    await repack(async (directory) => {
      const path = join(directory, 'provenance.json');
      const text = await readFile(path, 'utf8');
      await writeFile(path, text.replace('MALLOC=jemalloc', 'MALLOC=libc'));
    });
    await expectRefused(receiver.builder.fetch(release, build.id), {
      code: 'integrity',
      message: expect.stringContaining('its source, platform and flags make'),
    });
  });

  test('when its digest is not the announced one', async () => {
    packed = { ...packed, sha256: 'b'.repeat(64) };
    await expectRefused(receiver.builder.fetch(release, build.id), {
      code: 'integrity',
      context: { wanted: 'b'.repeat(64) },
    });
  });

  test('when it breaks off', async () => {
    packed = { ...packed, sizeBytes: (packed.sizeBytes ?? 0) + 1 };
    await expectRefused(receiver.builder.fetch(release, build.id), {
      code: 'unavailable',
      message: expect.stringMatching(/ended after \d+ of \d+ bytes/),
    });
  });

  test('when it is of another build, source or platform', async () => {
    await expectRefused(receiver.builder.fetch(release, 'c'.repeat(64)), {
      code: 'integrity',
      message: expect.stringContaining('but cccc'),
    });
    const other = { ...release, sha256: 'd'.repeat(64) };
    await expectRefused(receiver.builder.fetch(other, build.id), {
      code: 'integrity',
      message: expect.stringContaining('has the source'),
    });
    const foreign = await workshop.openHost('h4', {
      platform: 'linux-other',
      cacheDirectory: receiver.cacheDirectory,
      fetchBuild: async () => ({ chunks: createReadStream(packed.path) }),
    });
    await expectRefused(foreign.builder.fetch(release, build.id), {
      code: 'integrity',
      message: expect.stringContaining('has the platform linux-test'),
    });
  });

  test('when its program is of another version', async () => {
    const broken = await makeTinySource(workshop.scratch.path, { version: '9.0.3' });
    workshop.upload(broken);
    const { builder } = await workshop.openHost('h5');
    const theirs = await builder.build(broken.release);
    packed = await builder.pack(theirs.id);
    const wanted = { ...broken.release, version: '9.0.4' };
    await expectRefused(receiver.builder.fetch(wanted, theirs.id), {
      code: 'integrity',
    });
  });

  test('when its id is not one', async () => {
    await expectRefused(receiver.builder.fetch(release, '../../etc'), {
      code: 'invalid-argument',
    });
  });
});

test('a build that is not installed can be neither read nor packed', async () => {
  await expect(receiver.builder.read(build.id)).rejects.toMatchObject({ code: 'not-found' });
  await expect(receiver.builder.pack(build.id)).rejects.toMatchObject({ code: 'not-found' });
});

test.skipIf(process.getuid?.() !== 0)(
  `what was received is tried as the compiler's user, not as root${
    process.getuid?.() === 0 ? '' : ' (needs root)'
  }`,
  async () => {
    const note = join(workshop.scratch.path, 'tried-by');
    await mkdir(note, { mode: 0o777 });
    await chmod(note, 0o777);
    const version = '9.0.2';
    const source = await makeTinySource(workshop.scratch.path, {
      version,
      // What the server prints is its version; beside that it notes who ran it.
      says: `${version} $(id -u > ${note}/$$)`,
    });
    workshop.upload(source);
    const { builder } = await workshop.openHost('h4');
    const made = await builder.build(source.release);
    packed = await builder.pack(made.id);
    await rm(note, { recursive: true });
    await mkdir(note);
    await chmod(note, 0o777);
    await receiver.builder.fetch(source.release, made.id);
    const names = await readdir(note);
    const users = await Promise.all(names.map((name) => readFile(join(note, name), 'utf8')));
    expect(users).toHaveLength(1);
    expect(users).not.toContain('0\n');
  },
);
