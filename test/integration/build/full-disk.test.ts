// A disk that is really full: a small file system in a mount namespace of its own.
import { join } from 'node:path';

import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { openWorkshop, type Workshop } from './build-host.ts';
import { builderCommand, type BuildOutcome } from './run-builder.ts';
import { makeTinySource } from './tiny-source.ts';

const canMount = !(await execa('unshare', ['--mount', 'true'], { reject: false })).failed;
const isSkipped = process.getuid?.() !== 0 || !canMount;

let workshop: Workshop;
beforeEach(async () => {
  workshop = await openWorkshop();
});
afterEach(async () => {
  await workshop.scratch.remove();
});

interface FullDisk {
  /** Shell commands that make runs. */
  readonly recipe: string;
  /** Of the file system that holds the cache or the root. */
  readonly sizeKib: number;
  readonly full: 'cache' | 'root';
}

/** Builds where one file system is too small; answers what came of it and what is left there. */
async function buildOn({ recipe, sizeKib, full }: FullDisk) {
  const { path } = workshop.scratch;
  const source = await makeTinySource(path, { recipe });
  const job = {
    rootDirectory: join(path, 'root'),
    cacheDirectory: join(path, 'cache'),
    buildUser: 'nobody',
    ...source,
  };
  const script = `
    set -e
    mkdir -p "$1"; mount -t tmpfs -o size=${sizeKib}k,mode=755 tmpfs "$1"; folder=$1; shift
    "$@"
    find "$folder" -type f -size +0 ! -path '*/sources/*'
  `;
  const mounted = join(path, full);
  const arguments_ = ['--mount', 'sh', '-c', script, 'sh', mounted, ...builderCommand(job)];
  const { stdout } = await execa('unshare', arguments_);
  const [outcome = '', ...left] = stdout.split('\n');
  return { outcome: JSON.parse(outcome) as BuildOutcome, left };
}

describe.skipIf(isSkipped)(
  `a full disk${isSkipped ? ' (needs root: a mount namespace)' : ''}`,
  () => {
    test('while the compiler writes: says so, and leaves no half-installed build', async () => {
      const recipe = 'dd if=/dev/zero of=object bs=1M count=8';
      const { outcome, left } = await buildOn({ recipe, sizeKib: 4096, full: 'cache' });
      expect(outcome.error).toMatchObject({
        code: 'resource-exhausted',
        message: expect.stringContaining('the disk is full'),
      });
      expect(left).toEqual([]);
    });

    test('while the build is copied into the cache', async () => {
      // What make wrote stays in scratch; the copies of three programs no longer fit.
      const recipe = 'dd if=/dev/zero bs=1k count=900 >> src/server.in';
      const { outcome, left } = await buildOn({ recipe, sizeKib: 2400, full: 'cache' });
      expect(outcome.error).toMatchObject({
        code: 'resource-exhausted',
        message: expect.stringContaining('the disk is full'),
      });
      expect(left).toEqual([]);
    });

    test('while the build is installed below the root', async () => {
      const recipe = 'dd if=/dev/zero bs=1k count=900 >> src/server.in';
      const { outcome, left } = await buildOn({ recipe, sizeKib: 512, full: 'root' });
      expect(outcome.error).toMatchObject({
        code: 'resource-exhausted',
        message: expect.stringContaining('installing redis-9.0.1'),
      });
      expect(left).toEqual([]);
    });

    test('with room enough the same build succeeds', async () => {
      const recipe = 'dd if=/dev/zero bs=1k count=900 >> src/server.in';
      const { outcome } = await buildOn({ recipe, sizeKib: 32_768, full: 'cache' });
      expect(outcome.build?.release).toBe('redis-9.0.1');
    });
  },
);
