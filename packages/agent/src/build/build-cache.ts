/** The machine's cache of builds, by build id: shared by its agents, so each build is worked on by one at a time. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { Build } from '@redrover/core';

import { createDirectory, type BuildPaths } from './build-paths.ts';
import { readIntactBuild } from './build-store.ts';
import type { WorkOptions } from './builder-options.ts';
import { withMachineLock } from './machine-lock.ts';

export class BuildCache {
  readonly #paths: BuildPaths;

  constructor(paths: BuildPaths) {
    this.#paths = paths;
  }

  /** Where the build is, or would be. */
  directoryOf(buildId: string): string {
    return join(this.#paths.builds, buildId);
  }

  /** What is damaged there goes, to be made again. */
  async findIntact(buildId: string): Promise<Build | undefined> {
    const directory = this.directoryOf(buildId);
    const build = await readIntactBuild(directory);
    if (build?.id === buildId) return build;
    await rm(directory, { recursive: true, force: true });
    return undefined;
  }

  /** With a scratch directory that is gone afterwards. */
  async withLock<T>(
    buildId: string,
    work: WorkOptions,
    task: (scratch: string) => Promise<T>,
  ): Promise<T> {
    const path = join(this.#paths.locks, buildId);
    const onWait = (): void =>
      work.onLine?.('waiting: another agent of this machine is building it');
    return withMachineLock({ path, signal: work.signal, onWait }, async () => {
      // A name of its own: what a killed predecessor's compiler still writes goes nowhere.
      const scratch = join(this.#paths.scratch, `${buildId}.${randomUUID()}`);
      try {
        await createDirectory(scratch);
        return await task(scratch);
      } finally {
        await rm(scratch, { recursive: true, force: true, maxRetries: 5 });
      }
    });
  }
}
