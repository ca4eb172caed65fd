/**
 * The agent's builds: compiled here or fetched from a host of the same platform, kept in the
 * machine's cache and installed below the agent's root. One compile at a time.
 *
 * This file decides what is done in which order; each thing itself is done by a file beside it.
 */
import { RedroverError, type Build, type InstalledBuild, type Release } from '@redrover/core';

import { findAptArchives } from './apt/archive.ts';
import type { AptArchive } from './apt/source-index.ts';
import { BuildCache } from './build-cache.ts';
import { BuildMaker } from './build-maker.ts';
import { createDirectories, removeStaleScratch, type BuildPaths } from './build-paths.ts';
import { recoverInstalls } from './build-store.ts';
import type { BuilderOptions, WorkOptions } from './builder-options.ts';
import { HostBuilds, type FoundBuild } from './host-builds.ts';
import { packBuild, type PackedBuild } from './pack.ts';
import { createTurns } from './turns.ts';

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

/** Puts right what an interrupted predecessor left, in its root and in the cache. */
export async function createBuilder(options: BuilderOptions): Promise<Builder> {
  const paths = await createDirectories(options);
  await recoverInstalls(paths.releases);
  await removeStaleScratch(paths);
  return new HostBuilder(options, paths);
}

class HostBuilder implements Builder {
  readonly #paths: BuildPaths;
  readonly #inTurn = createTurns();
  readonly #cache: BuildCache;
  readonly #maker: BuildMaker;
  readonly #builds: HostBuilds;

  constructor(options: BuilderOptions, paths: BuildPaths) {
    const { platform, log } = options;
    this.#paths = paths;
    this.#cache = new BuildCache(paths);
    this.#maker = new BuildMaker({ options, paths, cache: this.#cache });
    this.#builds = new HostBuilds({ directory: paths.releases, platform, log });
  }

  async build(release: Release, work: WorkOptions = {}): Promise<Build> {
    const present = await this.#builds.findIntact(release);
    if (present !== undefined) return present;
    return this.#inTurn(work.signal, async () => {
      const recipe = await this.#maker.prescribe(release, work);
      return this.#cache.withLock(recipe.id, work, async (scratch) => {
        const cached = await this.#cache.findIntact(recipe.id);
        if (cached !== undefined) work.onLine?.(`${release.name}: the build is in the cache`);
        return this.#install(release, cached ?? (await this.#maker.compile(recipe, scratch, work)));
      });
    });
  }

  async fetch(release: Release, buildId: string, work: WorkOptions = {}): Promise<Build> {
    requireDigest(buildId);
    const present = await this.#builds.findIntact(release);
    if (present?.id === buildId) return present;
    return this.#inTurn(work.signal, () =>
      this.#cache.withLock(buildId, work, async (scratch) => {
        const cached = await this.#cache.findIntact(buildId);
        const build = cached ?? (await this.#maker.receive({ release, buildId }, scratch, work));
        return this.#install(release, build);
      }),
    );
  }

  installed(): Promise<InstalledBuild[]> {
    return this.#builds.list();
  }

  find(releaseName: string): Promise<FoundBuild | undefined> {
    return this.#builds.find(releaseName);
  }

  async read(buildId: string): Promise<Build> {
    return (await this.#builds.locate(buildId)).build;
  }

  async pack(buildId: string): Promise<PackedBuild> {
    const { build, directory } = await this.#builds.locate(buildId);
    const { packs } = this.#paths;
    return this.#cache.withLock(buildId, {}, (scratch) =>
      packBuild(build, { directory, packs, scratch }),
    );
  }

  async resolveApt(name: string, suite: string, work: WorkOptions = {}): Promise<AptArchive> {
    const request = { package: name, suite };
    const [newest] = await findAptArchives(request, { ...this.#maker.aptOptions, ...work });
    if (newest !== undefined) return newest;
    throw new RedroverError('not-found', `no source archive of ${name} was found`);
  }

  /** From the cache into the agent's own root. */
  #install(release: Release, build: Build): Promise<Build> {
    return this.#builds.install(release, build, this.#cache.directoryOf(build.id));
  }
}

/** It becomes a file name. */
function requireDigest(buildId: string): void {
  if (/^[0-9a-f]{64}$/.test(buildId)) return;
  throw new RedroverError('invalid-argument', `"${buildId}" is not the id of a build`);
}
