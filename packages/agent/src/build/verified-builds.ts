/**
 * The installed builds whose binaries are what their provenance says. A binary is digested when it is
 * first seen and whenever it has changed since; so asking each second costs a few calls of stat(2).
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import type { Build } from '@redrover/core';

import { errnoOf, fileError } from '../files/durable-file.ts';
import { listBuilds, type LocatedBuild } from './build-store.ts';
import { digestFile } from './digest.ts';

export class VerifiedBuilds {
  readonly #parent: string;
  readonly #digests = new Map<string, { readonly stamp: string; readonly sha256: string }>();

  /** @param parent the folder of installed builds. */
  constructor(parent: string) {
    this.#parent = parent;
  }

  /** A damaged build is not in it: whoever needs it makes it again. */
  async list(): Promise<LocatedBuild[]> {
    const intact: LocatedBuild[] = [];
    for (const located of await listBuilds(this.#parent)) {
      if (await this.#isIntact(located.build, located.directory)) intact.push(located);
    }
    return intact;
  }

  async #isIntact({ provenance }: Build, directory: string): Promise<boolean> {
    for (const [name, wanted] of Object.entries(provenance.binaries)) {
      if ((await this.#digest(join(directory, 'bin', name))) !== wanted) return false;
    }
    return true;
  }

  /** Undefined when there is no such file. */
  async #digest(path: string): Promise<string | undefined> {
    try {
      // ctime cannot be set by hand, and an installation has inodes of its own.
      const { dev, ino, size, ctimeNs } = await stat(path, { bigint: true });
      const stamp = [dev, ino, size, ctimeNs].join(' ');
      const known = this.#digests.get(path);
      if (known?.stamp === stamp) return known.sha256;
      const sha256 = await digestFile(path);
      this.#digests.set(path, { stamp, sha256 });
      return sha256;
    } catch (thrown) {
      if (errnoOf(thrown) === 'ENOENT') return undefined;
      throw fileError(thrown, `reading ${path}`);
    }
  }
}
