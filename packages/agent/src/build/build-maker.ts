/**
 * Brings a build into the cache: compiled from source, or received from a host of the same platform. Whether that is
 * needed, and whose turn it is, is decided by the builder.
 */
import { join } from 'node:path';

import { buildFlags, type Build, type BuildFlags, type Release } from '@redrover/core';

import type { FileOwner } from '../files/durable-file.ts';
import { ensureSystemUser } from '../host/system-user.ts';
import { isXz } from './archive.ts';
import type { BuildCache } from './build-cache.ts';
import { computeBuildId } from './build-id.ts';
import type { BuildPaths } from './build-paths.ts';
import { installBuild } from './build-store.ts';
import type { BuilderOptions, WorkOptions } from './builder-options.ts';
import { compile, requireTraversable, tryServer } from './compile.ts';
import { receiveBuild } from './pack.ts';
import { obtainSource, type SourceOptions } from './source.ts';
import { ensureToolchain, type Toolchain } from './toolchain.ts';

/** All that its id depends on. */
export interface BuildRecipe {
  readonly id: string;
  readonly release: Release;
  readonly toolchain: Toolchain;
  readonly flags: BuildFlags;
}

export interface MakerTools {
  readonly options: BuilderOptions;
  readonly paths: BuildPaths;
  readonly cache: BuildCache;
}

// Far longer than any pause of a working connection, far shorter than a person's patience.
const defaultStallTimeoutMs = 30_000;

export class BuildMaker {
  readonly #options: BuilderOptions;
  readonly #paths: BuildPaths;
  readonly #cache: BuildCache;

  constructor({ options, paths, cache }: MakerTools) {
    this.#options = options;
    this.#paths = paths;
    this.#cache = cache;
  }

  get aptOptions(): { readonly directory: string; readonly etcDirectory: string } {
    return { directory: this.#paths.apt, etcDirectory: this.#options.etcDirectory ?? '/etc' };
  }

  /** With the compiler there is, or that is installed for it. */
  async prescribe(release: Release, work: WorkOptions): Promise<BuildRecipe> {
    const toolchain = await this.#toolchain(release, { xz: false, ...work });
    const flags = buildFlags(release, toolchain.compiler, toolchain);
    const { platform } = this.#options;
    const { sha256: sourceSha256 } = release;
    const id = computeBuildId({ sourceSha256, platform, flags: flags.makeArguments });
    return { id, release, toolchain, flags };
  }

  async compile(recipe: BuildRecipe, scratch: string, work: WorkOptions): Promise<Build> {
    const startedAtMs = Date.now();
    const startTick = performance.now();
    const { id, release, flags, toolchain } = recipe;
    const onLine = work.onLine ?? (() => undefined);
    const source = await obtainSource(release, this.#sourceOptions(scratch, work));
    if (await isXz(source.path)) await this.#toolchain(release, { xz: true, ...work });
    const user = await this.#compilerUser();
    const { signal } = work;
    const archive = source.path;
    const compiled = await compile({ release, archive, scratch, flags, user, onLine, signal });
    const build: Build = {
      id,
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
    await this.#keep(build, compiled.binDirectory, scratch);
    this.#options.log(`compiled ${release.name} in ${build.provenance.durationMs} ms`);
    return build;
  }

  async receive(
    { release, buildId }: { readonly release: Release; readonly buildId: string },
    scratch: string,
    work: WorkOptions,
  ): Promise<Build> {
    work.onLine?.(`${release.name}: fetching the build ${buildId.slice(0, 12)}`);
    const blob = await this.#options.fetchBuild(buildId, work.signal);
    const { build, directory } = await receiveBuild(blob, {
      release,
      buildId,
      scratch,
      signal: work.signal,
      platform: this.#options.platform,
      stallTimeoutMs: this.#stallTimeoutMs,
    });
    const binDirectory = join(directory, 'bin');
    // Never as root: what came over the wire is no more trusted than what was compiled here.
    const user = await this.#compilerUser();
    if (user !== undefined) await requireTraversable(scratch);
    await tryServer(release, binDirectory, { user, signal: work.signal });
    await this.#keep(build, binDirectory, scratch);
    return build;
  }

  async #keep(build: Build, binDirectory: string, scratch: string): Promise<void> {
    const target = this.#cache.directoryOf(build.id);
    await installBuild({ build, binDirectory, target, incoming: join(scratch, 'incoming') });
  }

  #toolchain(release: Release, options: WorkOptions & { xz: boolean }): Promise<Toolchain> {
    return ensureToolchain(release, { root: process.getuid?.() === 0, ...options });
  }

  async #compilerUser(): Promise<FileOwner | undefined> {
    const { buildUser } = this.#options;
    return buildUser === undefined ? undefined : ensureSystemUser(buildUser);
  }

  get #stallTimeoutMs(): number {
    return this.#options.stallTimeoutMs ?? defaultStallTimeoutMs;
  }

  #sourceOptions(scratch: string, work: WorkOptions): SourceOptions {
    return {
      directory: this.#paths.sources,
      scratch,
      fetchUpload: this.#options.fetchSource,
      apt: this.aptOptions,
      stallTimeoutMs: this.#stallTimeoutMs,
      onLine: work.onLine ?? (() => undefined),
      signal: work.signal,
    };
  }
}
