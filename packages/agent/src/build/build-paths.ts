/** The folders that builds use, below the agent's root and in the machine's cache. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { fileError } from '../files/durable-file.ts';
import { ifUnlocked } from './machine-lock.ts';

export interface BuildPaths {
  /** Installed builds: `<root>/releases`. */
  readonly releases: string;
  /** Verified source archives by their SHA-256. */
  readonly sources: string;
  /** Finished builds by id. */
  readonly builds: string;
  readonly packs: string;
  readonly locks: string;
  readonly scratch: string;
  /** Of the private apt. */
  readonly apt: string;
}

export interface BuildPathsOptions {
  readonly rootDirectory: string;
  readonly cacheDirectory: string;
}

export async function createDirectories(options: BuildPathsOptions): Promise<BuildPaths> {
  const inCache = (name: string): string => join(options.cacheDirectory, name);
  const paths: BuildPaths = {
    releases: join(options.rootDirectory, 'releases'),
    sources: inCache('sources'),
    builds: inCache('builds'),
    packs: inCache('packs'),
    locks: inCache('locks'),
    scratch: inCache('scratch'),
    apt: inCache('apt'),
  };
  for (const path of Object.values(paths)) await createDirectory(path);
  return paths;
}

export async function createDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o755 });
  } catch (thrown) {
    throw fileError(thrown, `creating ${path}`);
  }
}

/** What killed builds left; a build that is under way elsewhere holds its lock and is let alone. */
export async function removeStaleScratch(paths: BuildPaths): Promise<void> {
  for (const name of await readdir(paths.scratch)) {
    const [id = name] = name.split('.');
    await ifUnlocked(join(paths.locks, id), () =>
      rm(join(paths.scratch, name), { recursive: true, force: true, maxRetries: 5 }),
    );
  }
}
