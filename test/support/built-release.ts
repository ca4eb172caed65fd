/**
 * A real Redis for the tests: its source is registered and compiled the way an operator does it,
 * once, and kept in the agents' cache. Later runs find both there and need no network.
 */
import { LocalStack, findPrograms } from '@redrover/cli';
import type { Api } from '@redrover/cli';
import { releaseFromProto } from '@redrover/wire';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { cacheDirectory, distDirectory } from './paths.ts';
import { createScratchDirectory } from './scratch.ts';

export interface BuiltRelease {
  /** For example `redis-7.0.15`. */
  readonly name: string;
  readonly sha256: string;
  /** The verified source archive, in the cache. */
  readonly archive: string;
  /** Where `redis-server` and `redis-cli` of this machine's build are. */
  readonly binDirectory: string;
}

interface KnownSource {
  readonly name: string;
  readonly sha256: string;
}

// Long enough for a mirror over a slow line and a compiler on a slow machine.
const BUILD_TIMEOUT_MS = 900_000;
const APT_TIMEOUT_MS = 180_000;

/** Compiles on the first run, takes seconds on all others. */
export async function obtainBuiltRelease(): Promise<BuiltRelease> {
  const cache = cacheDirectory();
  const scratch = await createScratchDirectory('setup');
  const stack = new LocalStack({
    directory: scratch.path,
    programs: findPrograms(distDirectory),
    hosts: [{ name: 'builder', address: '127.0.0.9' }],
    cacheDirectory: cache,
  });
  try {
    await stack.start();
    const api = stack.connect();
    try {
      const source = await registerSource(api, cache);
      const buildId = await build(api, source.name);
      const archive = join(cache, 'sources', source.sha256);
      return { ...source, archive, binDirectory: join(cache, 'builds', buildId, 'bin') };
    } finally {
      api.close();
    }
  } finally {
    await stack.stop();
    await scratch.remove();
  }
}

/** Gives the release of `obtainBuiltRelease` to another controller, from the cached archive. */
export async function uploadRelease(api: Api, release: KnownSource): Promise<void> {
  const path = join(cacheDirectory(), 'sources', release.sha256);
  await api.releases.uploadRelease(uploadParts(path, release), { timeoutMs: 60_000 });
}

async function registerSource(api: Api, cache: string): Promise<KnownSource> {
  // Beside the cache's own folders: which of its archives the tests use.
  const note = join(cache, 'test-release.json');
  if (existsSync(note)) {
    const known = JSON.parse(readFileSync(note, 'utf8')) as KnownSource;
    if (existsSync(join(cache, 'sources', known.sha256))) {
      await uploadRelease(api, known);
      return known;
    }
  }
  const answer = await api.releases.addRelease(
    { source: { source: { case: 'apt', value: { package: 'redis', suite: '' } } } },
    { timeoutMs: APT_TIMEOUT_MS },
  );
  if (answer.release?.release === undefined) throw new Error('addRelease answered nothing');
  const { name, sha256 } = releaseFromProto(answer.release.release);
  await mkdir(cache, { recursive: true });
  await writeFile(`${note}.${process.pid}`, JSON.stringify({ name, sha256 }));
  await rename(`${note}.${process.pid}`, note);
  await rm(`${note}.${process.pid}`, { force: true });
  return { name, sha256 };
}

async function build(api: Api, release: string): Promise<string> {
  const events = api.releases.buildRelease(
    { release, host: 'builder' },
    { timeoutMs: BUILD_TIMEOUT_MS },
  );
  for await (const { event } of events) {
    if (event.case === 'build') return event.value.id;
  }
  throw new Error(`the build of ${release} ended without a result`);
}

async function* uploadParts(path: string, { name, sha256 }: KnownSource) {
  const fileName = `${name}.tar.gz`;
  const header = { name, fileName, sizeBytes: BigInt(readFileSync(path).length), sha256 };
  yield { part: { case: 'header' as const, value: header } };
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) {
    yield { part: { case: 'chunk' as const, value: chunk as Buffer<ArrayBuffer> } };
  }
}
