/** The builds that are installed below the agent's root, one for each release. How they are made is not known here. */
import { join } from 'node:path';

import { RedroverError, type Build, type InstalledBuild, type Release } from '@redrover/core';

import {
  cliName,
  installBuild,
  readIntactBuild,
  serverName,
  type LocatedBuild,
} from './build-store.ts';
import { VerifiedBuilds } from './verified-builds.ts';

export interface FoundBuild {
  readonly build: Build;
  readonly binDirectory: string;
  /** Absolute path of `redis-server` or `valkey-server`. */
  readonly serverBinary: string;
  /** Absolute path of `redis-cli` or `valkey-cli`. */
  readonly cliBinary: string;
}

export interface HostBuildsOptions {
  /** `<root>/releases` */
  readonly directory: string;
  readonly platform: string;
  readonly log: (message: string) => void;
}

export class HostBuilds {
  readonly #options: HostBuildsOptions;
  readonly #installed: VerifiedBuilds;

  constructor(options: HostBuildsOptions) {
    this.#options = options;
    this.#installed = new VerifiedBuilds(options.directory);
  }

  /** Whatever its flags were: a release that is there is not made a second time. */
  async findIntact(release: Release): Promise<Build | undefined> {
    const build = await readIntactBuild(this.#directoryOf(release));
    const isWanted =
      build?.platform === this.#options.platform &&
      build.provenance.sourceSha256 === release.sha256;
    return isWanted ? build : undefined;
  }

  /** Copies it from there. */
  async install(release: Release, build: Build, directory: string): Promise<Build> {
    // The same archive may be known under another name, or may have been built by another host.
    const named: Build = { ...build, release: release.name };
    await installBuild({
      build: named,
      binDirectory: join(directory, 'bin'),
      target: this.#directoryOf(release),
    });
    this.#options.log(`installed ${release.name}, build ${build.id}`);
    return named;
  }

  async list(): Promise<InstalledBuild[]> {
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

  /** @throws RedroverError `not-found`. */
  async locate(buildId: string): Promise<LocatedBuild> {
    const builds = await this.#installed.list();
    const found = builds.find(({ build }) => build.id === buildId);
    if (found !== undefined) return found;
    throw new RedroverError('not-found', `build ${buildId} is not installed on this host`);
  }

  #directoryOf(release: Release): string {
    return join(this.#options.directory, `${release.name}-${this.#options.platform}`);
  }
}
