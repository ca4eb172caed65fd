/**
 * Real servers for the tests: their sources are registered and compiled the way an operator does it,
 * once, and kept in the agents' cache. Later runs find both there and need no network.
 */
import { LocalStack, findPrograms } from '@redrover/cli';
import type { Api } from '@redrover/cli';
import { parseReleaseName, RedroverError, type MoveEngine, type Product } from '@redrover/core';
import { releaseFromProto } from '@redrover/wire';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { cacheDirectory, distDirectory } from './paths.ts';
import { createScratchDirectory } from './scratch.ts';

export interface BuiltRelease {
  /** For example `redis-7.0.15`. */
  readonly name: string;
  readonly product: Product;
  readonly version: string;
  readonly sha256: string;
  /** The verified source archive, in the cache. */
  readonly archive: string;
  /** Where the binaries of this machine's build are. */
  readonly binDirectory: string;
  /** `redis-server` or `valkey-server`, with its path. */
  readonly server: string;
  /** `redis-cli` or `valkey-cli`, with its path. */
  readonly cli: string;
}

/** A release whose source this machine cannot have: tests that want it say so and are skipped. */
export interface MissingRelease {
  readonly missing: string;
}

type ObtainedRelease = BuiltRelease | MissingRelease;

/** By the engine that moves slots between their nodes. */
export interface ObtainedReleases extends Readonly<Record<MoveEngine, ObtainedRelease>> {
  readonly migrate: BuiltRelease;
}

interface KnownSource {
  readonly name: string;
  readonly sha256: string;
}

interface WantedSource {
  readonly package: string;
  /** Empty: the host's own. */
  readonly suite: string;
  /** Beside the cache's own folders: which of its archives the tests use. */
  readonly note: string;
}

const wantedSources: Readonly<Record<MoveEngine, WantedSource>> = {
  migrate: { package: 'redis', suite: '', note: 'test-release.json' },
  'redis-atomic': {
    package: 'redis',
    suite: 'experimental',
    note: 'test-release-redis-atomic.json',
  },
  'valkey-atomic': { package: 'valkey', suite: 'sid', note: 'test-release-valkey-atomic.json' },
};

// Long enough for a mirror over a slow line and a compiler on a slow machine.
const BUILD_TIMEOUT_MS = 900_000;
const APT_TIMEOUT_MS = 180_000;

/** What an archive of sources that cannot be reached, or has no such suite, answers with. */
const outOfReach = new Set(['unavailable', 'not-found', 'failed-precondition']);

/** The release of this machine's own distribution; compiles on the first run, takes seconds on all others. */
export async function obtainBuiltRelease(): Promise<BuiltRelease> {
  return withBuilder((builder) => obtain(builder, wantedSources.migrate));
}

/** That one, and a release for each of the other engines, where its source is within reach. */
export async function obtainBuiltReleases(): Promise<ObtainedReleases> {
  return withBuilder(async (builder) => ({
    migrate: await obtain(builder, wantedSources.migrate),
    'redis-atomic': await obtainIfInReach(builder, wantedSources['redis-atomic']),
    'valkey-atomic': await obtainIfInReach(builder, wantedSources['valkey-atomic']),
  }));
}

/** Gives a release of `obtainBuiltReleases` to another controller, from the cached archive. */
export async function uploadRelease(api: Api, release: KnownSource): Promise<void> {
  const path = join(cacheDirectory(), 'sources', release.sha256);
  await api.releases.uploadRelease(uploadParts(path, release), { timeoutMs: 60_000 });
}

async function withBuilder<T>(work: (builder: Api) => Promise<T>): Promise<T> {
  const scratch = await createScratchDirectory('setup');
  const stack = new LocalStack({
    directory: scratch.path,
    programs: findPrograms(distDirectory),
    hosts: [{ name: 'builder', address: '127.0.0.9' }],
    cacheDirectory: cacheDirectory(),
  });
  try {
    await stack.start();
    const api = stack.connect();
    try {
      return await work(api);
    } finally {
      api.close();
    }
  } finally {
    await stack.stop();
    await scratch.remove();
  }
}

async function obtainIfInReach(builder: Api, wanted: WantedSource): Promise<ObtainedRelease> {
  let source: KnownSource;
  try {
    source = await registerSource(builder, wanted);
  } catch (thrown) {
    if (!(thrown instanceof RedroverError) || !outOfReach.has(thrown.code)) throw thrown;
    return { missing: `no apt:${wanted.package}@${wanted.suite} here: ${thrown.message}` };
  }
  return build(builder, source);
}

async function obtain(builder: Api, wanted: WantedSource): Promise<BuiltRelease> {
  return build(builder, await registerSource(builder, wanted));
}

async function registerSource(api: Api, wanted: WantedSource): Promise<KnownSource> {
  const cache = cacheDirectory();
  const note = join(cache, wanted.note);
  if (existsSync(note)) {
    const known = JSON.parse(readFileSync(note, 'utf8')) as KnownSource;
    if (existsSync(join(cache, 'sources', known.sha256))) {
      await uploadRelease(api, known);
      return known;
    }
  }
  const value = { package: wanted.package, suite: wanted.suite };
  const answer = await api.releases.addRelease(
    { source: { source: { case: 'apt', value } } },
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

async function build(api: Api, source: KnownSource): Promise<BuiltRelease> {
  const buildId = await compile(api, source.name);
  const binDirectory = join(cacheDirectory(), 'builds', buildId, 'bin');
  const { product, version } = parseReleaseName(source.name);
  return {
    ...source,
    product,
    version,
    archive: join(cacheDirectory(), 'sources', source.sha256),
    binDirectory,
    server: join(binDirectory, `${product}-server`),
    cli: join(binDirectory, `${product}-cli`),
  };
}

async function compile(api: Api, release: string): Promise<string> {
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
