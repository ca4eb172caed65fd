// Source archives that "compile" in an instant, for the mechanics of building: a Makefile that
// writes shell scripts. What they print is what the real programs print.
import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Release } from '@redrover/core';
import { create } from 'tar';

export interface TinySource {
  readonly archive: string;
  readonly release: Release;
}

export interface TinyOptions {
  /** Default 9.0.1; each version has an archive and so a digest of its own. */
  readonly version?: string;
  /** Shell commands that make runs first. */
  readonly recipe?: string;
  /** What the server says its version is. */
  readonly says?: string;
}

/** Makes `redis-<version>.tar.gz` in the folder; the release has it as an upload. */
export async function makeTinySource(
  folder: string,
  options: TinyOptions = {},
): Promise<TinySource> {
  const { version = '9.0.1', recipe = ':' } = options;
  const top = `redis-${version}`;
  await mkdir(join(folder, top, 'src'), { recursive: true });
  await writeFile(join(folder, top, 'Makefile'), renderMakefile(recipe));
  for (const program of ['server', 'cli', 'benchmark']) {
    const text = `#!/bin/sh\necho "Redis ${program} v=${options.says ?? version} sha=0"\n`;
    await writeFile(join(folder, top, 'src', `${program}.in`), text);
  }
  const archive = join(folder, `${top}.tar.gz`);
  await create({ file: archive, cwd: folder, gzip: true, portable: true }, [top]);
  return { archive, release: await releaseOf(archive, version) };
}

export async function releaseOf(archive: string, version: string): Promise<Release> {
  return {
    name: `redis-${version}`,
    product: 'redis',
    version,
    source: { kind: 'upload', fileName: `redis-${version}.tar.gz` },
    sha256: createHash('sha256')
      .update(await readFile(archive))
      .digest('hex'),
  };
}

function renderMakefile(recipe: string): string {
  return `all:
\t@echo "compiling as $$(id -u)"
\t@${recipe}
\t@for program in server cli benchmark; do \\
\t  cp src/$$program.in src/redis-$$program && chmod 755 src/redis-$$program; \\
\tdone
`;
}

/** An executable script in the folder. */
export async function writeScript(path: string, text: string): Promise<void> {
  await writeFile(path, text);
  await chmod(path, 0o755);
}
