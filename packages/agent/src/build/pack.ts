/** Packed builds, as they travel from the host that compiled to the others of its platform. */
import { mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { RedroverError, type Build, type Release } from '@redrover/core';
import { create } from 'tar';

import { fileError } from '../files/durable-file.ts';
import { unpackArchive } from './archive.ts';
import { readBuild, verifyBuild } from './build-store.ts';
import { digestFile, saveStream } from './digest.ts';
import type { BlobDownload } from './source.ts';

export interface PackedBuild {
  readonly build: Build;
  /** A gzipped tar archive of `provenance.json` and `bin/`. */
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface PackOptions {
  /** Where the build is installed. */
  readonly directory: string;
  /** Where packed builds are kept. */
  readonly packs: string;
  /** An existing folder that is this packing's alone, on the same file system. */
  readonly scratch: string;
}

/** Packs the build that is installed in a directory, having verified its binaries. */
export async function packBuild(
  build: Build,
  { directory, packs, scratch }: PackOptions,
): Promise<PackedBuild> {
  await verifyBuild(build, directory);
  const path = join(packs, `${build.id}.tar.gz`);
  const incoming = join(scratch, 'packed.tar.gz');
  try {
    const binaries = Object.keys(build.provenance.binaries).map((name) => `bin/${name}`);
    await create({ file: incoming, cwd: directory, gzip: true, portable: true }, [
      'provenance.json',
      ...binaries,
    ]);
    await rename(incoming, path);
  } catch (thrown) {
    throw fileError(thrown, `packing the build of ${build.release}`);
  }
  return { build, path, sha256: await digestFile(path), sizeBytes: (await stat(path)).size };
}

export interface ReceiveOptions {
  readonly release: Release;
  readonly buildId: string;
  readonly platform: string;
  /** An existing, empty directory that is this transfer's alone. */
  readonly scratch: string;
  readonly stallTimeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

// A build of Redis 8 packs to less than 40 MB.
const packedBytesMax = 512 * 1024 ** 2;

/** Saves and unpacks a packed build; answers it once everything about it has been verified. */
export async function receiveBuild(
  blob: BlobDownload,
  options: ReceiveOptions,
): Promise<{ readonly build: Build; readonly directory: string }> {
  const archive = join(options.scratch, 'packed.tar.gz');
  const directory = join(options.scratch, 'unpacked');
  const what = `the packed build of ${options.release.name}`;
  const saved = await saveStream(blob.chunks, archive, {
    what,
    maxBytes: packedBytesMax,
    stallTimeoutMs: options.stallTimeoutMs,
    signal: options.signal,
  });
  if (blob.sizeBytes !== undefined && saved.sizeBytes !== blob.sizeBytes) {
    throw new RedroverError(
      'unavailable',
      `${what}: the transfer ended after ${saved.sizeBytes} of ${blob.sizeBytes} bytes; try again`,
    );
  }
  if (blob.sha256 !== undefined && saved.sha256 !== blob.sha256) {
    throw new RedroverError(
      'integrity',
      `${what} arrived with another SHA-256 than was announced`,
      {
        context: { found: saved.sha256, wanted: blob.sha256 },
      },
    );
  }
  await mkdir(directory);
  await unpackArchive({ archive, directory });
  const build = await readBuild(directory);
  if (build === undefined) throw new RedroverError('integrity', `${what} has no provenance`);
  requireWanted(build, options);
  await verifyBuild(build, directory);
  return { build, directory };
}

/** That it is whole says nothing if it is another build than the one that was asked for. */
function requireWanted(build: Build, { release, buildId, platform }: ReceiveOptions): void {
  const differences = [
    ['build', build.id, buildId],
    ['platform', build.platform, platform],
    ['source', build.provenance.sourceSha256, release.sha256],
  ].filter(([, found, wanted]) => found !== wanted);
  const [difference] = differences;
  if (difference === undefined) return;
  const [what, found, wanted] = difference;
  throw new RedroverError(
    'integrity',
    `the packed build of ${release.name} has the ${what} ${found}, but ${wanted} was asked for`,
  );
}
