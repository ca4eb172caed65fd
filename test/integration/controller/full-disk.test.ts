import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { ControllerProcess, dialApi, scratchDirectory, type ApiClients } from './support.ts';

/** A file system of its own for the data directory, in a mount namespace that ends with the test. */
const canMount =
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
if (!canMount) process.stderr.write('full-disk.test.ts is skipped: it needs root and unshare\n');

// Made in the hook: where all tests are skipped, so are the hooks, and nothing would remove it.
let scratch: ReturnType<typeof scratchDirectory>;
let controller: ControllerProcess;
let api: ApiClients;

/** The data directory as the controller sees it. */
const seenByController = (): string => join('/proc', String(controller.pid), 'root', scratch.path);

beforeAll(async () => {
  scratch = scratchDirectory();
  controller = await ControllerProcess.startOnSmallDisk(scratch.path, '4m');
  api = dialApi(controller);
});

afterAll(async () => {
  api?.close();
  await controller?.end();
  scratch.remove();
});

function upload(bytes: Buffer) {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return api.releases.uploadRelease(
    (async function* () {
      const value = { fileName: 'redis-99.1.2.tar.gz', sha256, sizeBytes: BigInt(bytes.length) };
      yield { part: { case: 'header' as const, value } };
      for (let at = 0; at < bytes.length; at += 256 * 1024) {
        const chunk = bytes.subarray(at, at + 256 * 1024);
        yield { part: { case: 'chunk' as const, value: chunk } };
      }
    })(),
  );
}

const addRelease = (version: string) =>
  api.releases.addRelease({
    source: {
      source: {
        case: 'https' as const,
        value: { url: `https://x.example/redis-${version}.tar.gz` },
      },
    },
  });

test.skipIf(!canMount)(
  'a full disk is said as such, loses nothing, and can be cleared',
  async () => {
    await addRelease('7.2.4');
    const full = {
      code: 'resource-exhausted',
      message: expect.stringMatching(/free some/),
    };
    await expect(upload(randomBytes(6 * 1024 ** 2))).rejects.toMatchObject(full);
    const blobs = join(seenByController(), 'blobs');
    expect(readdirSync(blobs)).toEqual([]);
    const ballast = join(seenByController(), 'ballast');
    fill(ballast);
    await expect(addRelease('7.2.5')).rejects.toMatchObject(full);
    const names = async () =>
      (await api.releases.listReleases({})).releases.map(({ release }) => release?.name);
    expect(await names()).toEqual(['redis-7.2.4']);
    rmSync(ballast);
    await addRelease('7.2.5');
    await upload(randomBytes(1024 ** 2));
    expect(await names()).toEqual(['redis-7.2.4', 'redis-7.2.5', 'redis-99.1.2']);
  },
);

function fill(path: string): void {
  const chunk = Buffer.alloc(4096);
  const write = (): void => {
    for (;;) writeFileSync(path, chunk, { flag: 'a' });
  };
  expect(write).toThrow(/ENOSPC/);
}
