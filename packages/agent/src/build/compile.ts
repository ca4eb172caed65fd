/**
 * Compiles an unpacked source as an unprivileged user and tries the result.
 *
 * Where the source came from and where the binaries go is the builder's business.
 */
import { chown, copyFile, lstat, mkdir, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';

import { RedroverError, type BuildFlags, type Product, type Release } from '@redrover/core';

import { errnoOf, fileError, type FileOwner } from '../files/durable-file.ts';
import { decompressXz, isXz, unpackArchive } from './archive.ts';
import { digestFile } from './digest.ts';
import { runCommand, type CommandOutcome } from './run-command.ts';

export interface CompileOptions {
  readonly release: Release;
  readonly archive: string;
  /** A directory that is this build's alone. */
  readonly scratch: string;
  readonly flags: BuildFlags;
  /** Whom the compiler runs as; default: the agent's own user. */
  readonly user?: FileOwner | undefined;
  readonly onLine: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface Compiled {
  readonly binDirectory: string;
  /** File name to SHA-256. */
  readonly binaries: Readonly<Record<string, string>>;
}

/** check-aof and check-rdb are the server under another name; sentinel is not Redrover's business. */
const programs = ['server', 'cli', 'benchmark'] as const;

/** Throws `build-failed` with the compiler's last lines, or `resource-exhausted` when the disk was full. */
export async function compile(options: CompileOptions): Promise<Compiled> {
  const source = await unpackSource(options);
  const jobs = `-j${availableParallelism()}`;
  const args = [jobs, ...options.flags.makeArguments];
  options.onLine(`make ${args.join(' ')}`);
  let diskFull = false;
  const outcome = await runCommand('make', args, {
    cwd: source,
    environment: buildEnvironment(options),
    user: options.user,
    onLine: (line) => {
      diskFull ||= saysDiskFull(line);
      options.onLine(line);
    },
    signal: options.signal,
  });
  if (outcome.exitCode !== 0) throw compilerFailed(options.release, outcome, diskFull);
  const binDirectory = join(options.scratch, 'bin');
  const binaries = await collectBinaries(options.release, join(source, 'src'), binDirectory);
  await tryServer(options.release, binDirectory, options);
  return { binDirectory, binaries };
}

/** Answers the source's top folder. */
async function unpackSource(options: CompileOptions): Promise<string> {
  const directory = join(options.scratch, 'source');
  try {
    // The scratch directory itself stays the agent's: the compiler must not swap what is beside.
    for (const path of [directory, join(options.scratch, 'tmp')]) {
      await mkdir(path, { recursive: true, mode: 0o755 });
      if (options.user !== undefined) await chown(path, options.user.uid, options.user.gid);
    }
  } catch (thrown) {
    throw fileError(thrown, `creating the scratch directory ${options.scratch}`);
  }
  if (options.user !== undefined) await requireTraversable(options.scratch);
  const [top, ...others] = await unpackArchive({
    archive: (await isXz(options.archive))
      ? await decompressXz(options.archive, join(options.scratch, 'source.tar'))
      : options.archive,
    directory,
    owner: options.user,
  });
  const makefile = join(directory, top ?? '', 'Makefile');
  if (others.length === 0 && (await isFile(makefile))) return dirname(makefile);
  throw new RedroverError(
    'integrity',
    `the archive of ${options.release.name} is not a source of Redis or Valkey: ` +
      'it should have one folder with a Makefile in it',
  );
}

/** A folder above that only its owner may enter would let the compiler fail without a reason. */
export async function requireTraversable(path: string): Promise<void> {
  for (let parent = dirname(path); parent !== dirname(parent); parent = dirname(parent)) {
    const { mode } = await stat(parent);
    if ((mode & 0o001) !== 0) continue;
    throw new RedroverError(
      'failed-precondition',
      `the compiler's user cannot enter ${parent}; choose another place with --cache, ` +
        `or run: chmod o+x ${parent}`,
    );
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (thrown) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(thrown))) return false;
    throw fileError(thrown, `reading ${path}`);
  }
}

/** Nothing of the agent's own environment reaches the compiler but the path. */
function buildEnvironment({ scratch, flags }: CompileOptions): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: join(scratch, 'tmp'),
    TMPDIR: join(scratch, 'tmp'),
    ...flags.environment,
  };
}

async function collectBinaries(
  release: Release,
  source: string,
  target: string,
): Promise<Record<string, string>> {
  const binaries: Record<string, string> = {};
  try {
    await mkdir(target, { mode: 0o755 });
    for (const name of programs.map((program) => `${release.product}-${program}`)) {
      // A link could make the agent, as root, hand out a file that is none of the build's.
      if (!(await lstat(join(source, name))).isFile()) throw notAFile(release, name);
      await copyFile(join(source, name), join(target, name));
      binaries[name] = await digestFile(join(target, name));
    }
  } catch (thrown) {
    if (errnoOf(thrown) !== 'ENOENT') throw fileError(thrown, `collecting the binaries`);
    throw new RedroverError(
      'build-failed',
      `make succeeded, but ${release.name} lacks a binary: ${(thrown as Error).message}`,
      { cause: thrown },
    );
  }
  return binaries;
}

function notAFile(release: Release, name: string): RedroverError {
  return new RedroverError('integrity', `compiling ${release.name} made ${name}, which is no file`);
}

/** Runs `--version`: proof that the binary runs here and is the release that was asked for. */
export async function tryServer(
  release: Pick<Release, 'name' | 'product' | 'version'>,
  binDirectory: string,
  options: { readonly user?: FileOwner | undefined; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const server = join(binDirectory, serverOf(release.product));
  const outcome = await runCommand(server, ['--version'], options);
  const version = / v=(\d+\.\d+\.\d+\S*)/.exec(outcome.lines.join('\n'))?.[1];
  if (outcome.exitCode !== 0 || version === undefined) {
    throw new RedroverError(
      'build-failed',
      `${server} does not run on this host (${outcome.ending}): ${outcome.tail.join(' / ')}`,
      { context: { output: outcome.tail.join('\n') } },
    );
  }
  if (version.split('-')[0] === release.version.split('-')[0]) return;
  throw new RedroverError(
    'integrity',
    `the archive of ${release.name} builds version ${version}; register it under its own name`,
  );
}

function serverOf(product: Product): string {
  return `${product}-server`;
}

/** make's exit code says nothing of the reason; in the C locale this is what the C library prints. */
function saysDiskFull(line: string): boolean {
  return /No space left on device|Disk quota exceeded/.test(line);
}

function compilerFailed(
  release: Release,
  outcome: CommandOutcome,
  diskFull: boolean,
): RedroverError {
  const output = outcome.tail.join('\n');
  if (diskFull) {
    return new RedroverError(
      'resource-exhausted',
      `compiling ${release.name}: the disk is full; a build needs about 400 MB in the cache directory`,
      { context: { output } },
    );
  }
  return new RedroverError(
    'build-failed',
    `compiling ${release.name} failed (${outcome.ending}); the last lines were:\n${output}`,
    { context: { output } },
  );
}
