/**
 * The agent's builds: compiled here or fetched from a host of the same platform, kept in the
 * machine's cache and installed below the agent's root. One compile at a time.
 *
 * This file decides what is done in which order; each thing itself is done by a file beside it.
 */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import {
  buildFlags,
  RedroverError,
  type Build,
  type BuildFlags,
  type InstalledBuild,
  type Release,
} from '@redrover/core';

import type { FileOwner } from '../files/durable-file.ts';
import { ensureSystemUser } from '../host/system-user.ts';
import { findAptArchives } from './apt/archive.ts';
import type { AptArchive } from './apt/source-index.ts';
import { isXz } from './archive.ts';
import { computeBuildId } from './build-id.ts';
import { withMachineLock } from './machine-lock.ts';
import {
  createDirectories,
  createDirectory,
  removeStaleScratch,
  type BuildPaths,
} from './build-paths.ts';
import {
  cliName,
  installBuild,
  readIntactBuild,
  recoverInstalls,
  serverName,
  type LocatedBuild,
} from './build-store.ts';
import { compile, requireTraversable, tryServer } from './compile.ts';
import { packBuild, receiveBuild, type PackedBuild } from './pack.ts';
import { obtainSource, type BlobDownload, type SourceOptions } from './source.ts';
import { createTurns } from './turns.ts';
import { ensureToolchain, type Toolchain } from './toolchain.ts';
import { VerifiedBuilds } from './verified-builds.ts';

export interface BuilderOptions {
  /** The agent's root: builds are installed in `<root>/releases`. */
  readonly rootDirectory: string;
  /** Shared by the agents of a machine that run as the same user. */
  readonly cacheDirectory: string;
  /** Name of the host, for provenance. */
  readonly hostName: string;
  readonly platform: string;
  /** Whom compilers run as, created when missing; undefined: the agent's own user. */
  readonly buildUser?: string | undefined;
  /** An uploaded source archive, from the controller. */
  readonly fetchSource: (sha256: string, signal?: AbortSignal) => Promise<BlobDownload>;
  /** A packed build, from the controller. */
  readonly fetchBuild: (buildId: string, signal?: AbortSignal) => Promise<BlobDownload>;
  readonly log: (message: string) => void;
  /** The system's own, where apt's sources are; default `/etc`. */
  readonly etcDirectory?: string | undefined;
  /** How long a transfer may be silent, in milliseconds; default 30 000. */
  readonly stallTimeoutMs?: number | undefined;
}

export interface WorkOptions {
  /** Called with each line of progress: the compiler's output, what is fetched. */
  readonly onLine?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface FoundBuild {
  readonly build: Build;
  readonly binDirectory: string;
  /** Absolute path of `redis-server` or `valkey-server`. */
  readonly serverBinary: string;
  /** Absolute path of `redis-cli` or `valkey-cli`. */
  readonly cliBinary: string;
}

export interface Builder {
  /** Compiles and installs; at once when the release is installed already. */
  build(release: Release, options?: WorkOptions): Promise<Build>;
  /** Fetches, verifies and installs a build that another host of the platform made. */
  fetch(release: Release, buildId: string, options?: WorkOptions): Promise<Build>;
  installed(): Promise<InstalledBuild[]>;
  /** The installed build of a release; undefined when there is none. */
  find(releaseName: string): Promise<FoundBuild | undefined>;
  /** The installed build with the id; throws `not-found`. */
  read(buildId: string): Promise<Build>;
  /** Packs an installed build for the controller. */
  pack(buildId: string): Promise<PackedBuild>;
  /** What the distribution has now; `suite` empty: the host's own. */
  resolveApt(name: string, suite: string, options?: WorkOptions): Promise<AptArchive>;
}

// Far longer than any pause of a working connection, far shorter than a person's patience.
const defaultStallTimeoutMs = 30_000;

/** Puts right what an interrupted predecessor left, in its root and in the cache. */
export async function createBuilder(options: BuilderOptions): Promise<Builder> {
  const paths = await createDirectories(options);
  await recoverInstalls(paths.releases);
  await removeStaleScratch(paths);
  return new HostBuilder(options, paths);
}

class HostBuilder implements Builder {
  readonly #options: BuilderOptions;
  readonly #paths: BuildPaths;
  readonly #inTurn = createTurns();
  readonly #installed: VerifiedBuilds;

  constructor(options: BuilderOptions, paths: BuildPaths) {
    this.#options = options;
    this.#paths = paths;
    this.#installed = new VerifiedBuilds(paths.releases);
  }

  async build(release: Release, work: WorkOptions = {}): Promise<Build> {
    const present = await this.#intactInstall(release);
    if (present !== undefined) return present;
    return this.#inTurn(work.signal, async () => {
      const toolchain = await this.#toolchain(release, { xz: false, ...work });
      const flags = buildFlags(release, toolchain.compiler, toolchain);
      const id = this.#idOf(release, flags);
      return this.#withLock(id, work, async (scratch) => {
        const cached = await this.#intactCache(id);
        if (cached !== undefined) work.onLine?.(`${release.name}: the build is in the cache`);
        const build = cached ?? (await this.#compile({ release, toolchain, flags, scratch }, work));
        return this.#install(release, build);
      });
    });
  }

  async fetch(release: Release, buildId: string, work: WorkOptions = {}): Promise<Build> {
    requireDigest(buildId);
    const present = await this.#intactInstall(release);
    if (present?.id === buildId) return present;
    return this.#inTurn(work.signal, () =>
      this.#withLock(buildId, work, async (scratch) => {
        const cached = await this.#intactCache(buildId);
        const build = cached ?? (await this.#receive({ release, buildId, scratch }, work));
        return this.#install(release, build);
      }),
    );
  }

  async installed(): Promise<InstalledBuild[]> {
    const builds = await this.#installed.list();
    return builds
      .filter(({ build }) => build.platform === this.#options.platform)
      .map(({ build }) => ({ id: build.id, release: build.release }));
  }

  async find(releaseName: string): Promise<FoundBuild | undefined> {
    const builds = await this.#installed.list();
    const found = builds.find(
      ({ build }) => build.release === releaseName && build.platform === this.#options.platform,
    );
    if (found === undefined) return undefined;
    const binDirectory = join(found.directory, 'bin');
    return {
      build: found.build,
      binDirectory,
      serverBinary: join(binDirectory, serverName(found.build)),
      cliBinary: join(binDirectory, cliName(found.build)),
    };
  }

  async read(buildId: string): Promise<Build> {
    return (await this.#locate(buildId)).build;
  }

  async pack(buildId: string): Promise<PackedBuild> {
    const { build, directory } = await this.#locate(buildId);
    const { packs } = this.#paths;
    return this.#withLock(buildId, {}, (scratch) =>
      packBuild(build, { directory, packs, scratch }),
    );
  }

  async resolveApt(name: string, suite: string, work: WorkOptions = {}): Promise<AptArchive> {
    const request = { package: name, suite };
    const [newest] = await findAptArchives(request, { ...this.#aptOptions(), ...work });
    if (newest !== undefined) return newest;
    throw new RedroverError('not-found', `no source archive of ${name} was found`);
  }

  /** Whatever its flags were: a release that is there is not made a second time. */
  async #intactInstall(release: Release): Promise<Build | undefined> {
    const build = await readIntactBuild(this.#installDirectory(release));
    const isWanted =
      build?.platform === this.#options.platform &&
      build.provenance.sourceSha256 === release.sha256;
    return isWanted ? build : undefined;
  }

  /** What is damaged there goes, to be made again. */
  async #intactCache(buildId: string): Promise<Build | undefined> {
    const directory = join(this.#paths.builds, buildId);
    const build = await readIntactBuild(directory);
    if (build?.id === buildId) return build;
    await rm(directory, { recursive: true, force: true });
    return undefined;
  }

  async #compile(
    job: { release: Release; toolchain: Toolchain; flags: BuildFlags; scratch: string },
    work: WorkOptions,
  ): Promise<Build> {
    const startedAtMs = Date.now();
    const startTick = performance.now();
    const { release, flags, scratch, toolchain } = job;
    const onLine = work.onLine ?? (() => undefined);
    const source = await obtainSource(release, this.#sourceOptions(scratch, work));
    if (await isXz(source.path)) await this.#toolchain(release, { xz: true, ...work });
    const user = await this.#compilerUser();
    const { signal } = work;
    const compiled = await compile({
      release,
      archive: source.path,
      scratch,
      flags,
      user,
      onLine,
      signal,
    });
    const build: Build = {
      id: this.#idOf(release, flags),
      release: release.name,
      platform: this.#options.platform,
      provenance: {
        sourceSha256: release.sha256,
        sourceLocation: source.location,
        compiler: toolchain.compiler,
        flags: flags.makeArguments,
        builtOnHost: this.#options.hostName,
        builtAtMs: startedAtMs,
        durationMs: Math.round(performance.now() - startTick),
        binaries: compiled.binaries,
      },
    };
    const target = join(this.#paths.builds, build.id);
    const incoming = join(scratch, 'incoming');
    await installBuild({ build, binDirectory: compiled.binDirectory, target, incoming });
    this.#options.log(`compiled ${release.name} in ${build.provenance.durationMs} ms`);
    return build;
  }

  async #receive(
    job: { release: Release; buildId: string; scratch: string },
    work: WorkOptions,
  ): Promise<Build> {
    const { release, buildId, scratch } = job;
    work.onLine?.(`${release.name}: fetching the build ${buildId.slice(0, 12)}`);
    const blob = await this.#options.fetchBuild(buildId, work.signal);
    const { build, directory } = await receiveBuild(blob, {
      release,
      buildId,
      scratch,
      signal: work.signal,
      platform: this.#options.platform,
      stallTimeoutMs: this.#options.stallTimeoutMs ?? defaultStallTimeoutMs,
    });
    const binDirectory = join(directory, 'bin');
    // Never as root: what came over the wire is no more trusted than what was compiled here.
    const user = await this.#compilerUser();
    if (user !== undefined) await requireTraversable(scratch);
    await tryServer(release, binDirectory, { user, signal: work.signal });
    const target = join(this.#paths.builds, buildId);
    await installBuild({ build, binDirectory, target, incoming: join(scratch, 'incoming') });
    return build;
  }

  /** From the cache into the agent's own root. */
  async #install(release: Release, build: Build): Promise<Build> {
    // The same archive may be known under another name, or may have been built by another host.
    const named: Build = { ...build, release: release.name };
    await installBuild({
      build: named,
      binDirectory: join(this.#paths.builds, build.id, 'bin'),
      target: this.#installDirectory(release),
    });
    this.#options.log(`installed ${release.name}, build ${build.id}`);
    return named;
  }

  async #locate(buildId: string): Promise<LocatedBuild> {
    const builds = await this.#installed.list();
    const found = builds.find(({ build }) => build.id === buildId);
    if (found !== undefined) return found;
    throw new RedroverError('not-found', `build ${buildId} is not installed on this host`);
  }

  async #withLock<T>(
    id: string,
    work: WorkOptions,
    task: (scratch: string) => Promise<T>,
  ): Promise<T> {
    const path = join(this.#paths.locks, id);
    const onWait = (): void =>
      work.onLine?.('waiting: another agent of this machine is building it');
    return withMachineLock({ path, signal: work.signal, onWait }, async () => {
      // A name of its own: what a killed predecessor's compiler still writes goes nowhere.
      const scratch = join(this.#paths.scratch, `${id}.${randomUUID()}`);
      try {
        await createDirectory(scratch);
        return await task(scratch);
      } finally {
        await rm(scratch, { recursive: true, force: true, maxRetries: 5 });
      }
    });
  }

  #toolchain(release: Release, options: WorkOptions & { xz: boolean }): Promise<Toolchain> {
    return ensureToolchain(release, { root: process.getuid?.() === 0, ...options });
  }

  async #compilerUser(): Promise<FileOwner | undefined> {
    const { buildUser } = this.#options;
    return buildUser === undefined ? undefined : ensureSystemUser(buildUser);
  }

  #idOf(release: Release, flags: BuildFlags): string {
    const { platform } = this.#options;
    return computeBuildId({ sourceSha256: release.sha256, platform, flags: flags.makeArguments });
  }

  #installDirectory(release: Release): string {
    return join(this.#paths.releases, `${release.name}-${this.#options.platform}`);
  }

  #sourceOptions(scratch: string, work: WorkOptions): SourceOptions {
    return {
      directory: this.#paths.sources,
      scratch,
      fetchUpload: this.#options.fetchSource,
      apt: this.#aptOptions(),
      stallTimeoutMs: this.#options.stallTimeoutMs ?? defaultStallTimeoutMs,
      onLine: work.onLine ?? (() => undefined),
      signal: work.signal,
    };
  }

  #aptOptions(): { directory: string; etcDirectory: string } {
    return {
      directory: this.#paths.apt,
      etcDirectory: this.#options.etcDirectory ?? '/etc',
    };
  }
}

/** It becomes a file name. */
function requireDigest(buildId: string): void {
  if (/^[0-9a-f]{64}$/.test(buildId)) return;
  throw new RedroverError('invalid-argument', `"${buildId}" is not the id of a build`);
}
