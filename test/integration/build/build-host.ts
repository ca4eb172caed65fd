// A host to build on: a root and a cache of its own, with an upload store and a build store in
// place of the controller.
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { createBuilder, type Builder, type BuilderOptions } from '@redrover/agent';

import { createScratchDirectory, type Scratch } from '../../support/scratch.ts';
import type { TinySource } from './tiny-source.ts';

/** Compilers run as a user that every machine has, so that the tests create none. */
export const buildUser = process.getuid?.() === 0 ? 'nobody' : undefined;

export interface BuildHost {
  readonly builder: Builder;
  readonly rootDirectory: string;
  readonly cacheDirectory: string;
}

export interface Workshop {
  readonly scratch: Scratch;
  /** Uploaded archives by digest, as the controller holds them. */
  readonly uploads: Map<string, string>;
  /** A host with a root of its own; the cache is shared unless named. */
  openHost(name: string, options?: Partial<BuilderOptions>): Promise<BuildHost>;
  upload(source: TinySource): void;
}

export async function openWorkshop(): Promise<Workshop> {
  const scratch = await createScratchDirectory('build');
  const uploads = new Map<string, string>();
  return {
    scratch,
    uploads,
    upload: ({ archive, release }) => uploads.set(release.sha256, archive),
    openHost: async (name, options = {}) => {
      const rootDirectory = join(scratch.path, name);
      const cacheDirectory = options.cacheDirectory ?? join(scratch.path, 'cache');
      const builder = await createBuilder({
        hostName: name,
        platform: 'linux-test',
        buildUser,
        fetchSource: async (sha256) => ({
          chunks: createReadStream(uploads.get(sha256) ?? '/nonexistent'),
        }),
        fetchBuild: () => Promise.reject(new Error('nothing to fetch')),
        log: () => undefined,
        ...options,
        rootDirectory,
        cacheDirectory,
      });
      return { builder, rootDirectory, cacheDirectory };
    },
  };
}

/** Whatever is below a host's releases and its cache's scratch, sources and builds. */
export async function listLeftovers(host: BuildHost): Promise<string[]> {
  const folders = [
    join(host.rootDirectory, 'releases'),
    ...['scratch', 'sources', 'builds'].map((name) => join(host.cacheDirectory, name)),
  ];
  return (await Promise.all(folders.map((folder) => readdir(folder)))).flat();
}
