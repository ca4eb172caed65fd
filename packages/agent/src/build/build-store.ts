/**
 * Where finished builds are: `<root>/releases/<release>-<platform>/`, and the same by id in the
 * machine's cache. A build is there wholly or not at all: it is copied aside, synced and renamed.
 *
 * How a build comes about is `builder.ts`'s business.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, mkdir, open, readdir, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { RedroverError, type Build } from '@redrover/core';

import {
  errnoOf,
  fileError,
  readIfPresent,
  syncDirectory,
  writeDurableFile,
} from '../files/durable-file.ts';
import { parseBuild } from './build-id.ts';
import { digestFile } from './digest.ts';

const provenanceFile = 'provenance.json';
const incomingPrefix = '.incoming-';
const outgoingPrefix = '.outgoing-';

/** The build in the directory; undefined when there is none. Its binaries are not verified. */
export async function readBuild(directory: string): Promise<Build | undefined> {
  const path = join(directory, provenanceFile);
  const text = await readIfPresent(path);
  return text === undefined ? undefined : parseBuild(text, path);
}

/** Throws `integrity` when a binary is missing or is not what provenance says. */
export async function verifyBuild(build: Build, directory: string): Promise<void> {
  for (const [name, wanted] of Object.entries(build.provenance.binaries)) {
    const path = join(directory, 'bin', name);
    const found = await digestFile(path).catch((thrown: unknown) => {
      if (errnoOf((thrown as Error).cause) === 'ENOENT') return 'nothing';
      throw thrown;
    });
    if (found === wanted) continue;
    throw new RedroverError(
      'integrity',
      `${path} has the SHA-256 ${found}, but its provenance says ${wanted}`,
      { context: { binary: name } },
    );
  }
}

/** The build in the directory if it is whole and unchanged; otherwise undefined. */
export async function readIntactBuild(directory: string): Promise<Build | undefined> {
  try {
    const build = await readBuild(directory);
    if (build !== undefined) await verifyBuild(build, directory);
    return build;
  } catch (thrown) {
    // A damaged build is made again; anything else (rights, disk) would stop that as well.
    if (thrown instanceof RedroverError && thrown.code === 'integrity') return undefined;
    throw thrown;
  }
}

export interface InstallOptions {
  readonly build: Build;
  /** Holds the binaries themselves. */
  readonly binDirectory: string;
  /** Replaced if it is there already; its parent is created when missing. */
  readonly target: string;
  /** Where the copy is made, on the same file system; default: beside the target. */
  readonly incoming?: string | undefined;
}

/** Copies the binaries and writes their provenance; only a rename makes them visible. */
export async function installBuild(options: InstallOptions): Promise<void> {
  const parent = dirname(options.target);
  const incoming = options.incoming ?? join(parent, `${incomingPrefix}${randomUUID()}`);
  try {
    await mkdir(join(incoming, 'bin'), { recursive: true, mode: 0o755 });
    await copyBinaries(options, join(incoming, 'bin'));
    const text = `${JSON.stringify(options.build, undefined, 2)}\n`;
    await writeDurableFile(join(incoming, provenanceFile), text, { mode: 0o644 });
    await moveIntoPlace(incoming, options.target);
  } catch (thrown) {
    throw fileError(thrown, `installing ${options.build.release} in ${options.target}`);
  } finally {
    await rm(incoming, { recursive: true, force: true });
  }
}

async function copyBinaries({ build, binDirectory }: InstallOptions, target: string) {
  for (const name of Object.keys(build.provenance.binaries)) {
    const path = join(target, name);
    // A file of its own and not a hard link: what happens to one copy must not reach the other.
    await copyFile(join(binDirectory, name), path, constants.COPYFILE_FICLONE);
    const file = await open(path);
    try {
      // copyFile keeps the owner, and the compiler's user must not be able to change what is run.
      await file.chown(process.getuid?.() ?? -1, process.getgid?.() ?? -1);
      await file.chmod(0o755);
      await file.sync();
    } finally {
      await file.close();
    }
  }
  // As `make install` does: one program under several names.
  const server = serverName(build);
  for (const alias of ['check-aof', 'check-rdb']) {
    await symlink(server, join(target, server.replace('server', alias)));
  }
  await syncDirectory(target);
}

/** rename(2) does not replace a directory that is not empty: the old one steps aside first. */
async function moveIntoPlace(incoming: string, target: string): Promise<void> {
  const parent = dirname(target);
  const outgoing = join(parent, `${outgoingPrefix}${target.slice(parent.length + 1)}`);
  await rm(outgoing, { recursive: true, force: true });
  await rename(target, outgoing).catch((thrown: unknown) => {
    if (errnoOf(thrown) !== 'ENOENT') throw thrown;
  });
  await rename(incoming, target);
  await syncDirectory(parent);
  await rm(outgoing, { recursive: true, force: true });
}

/**
 * Removes what an interrupted installation left. A build that had just stepped aside comes back, so
 * that its nodes can start at boot with the controller away.
 */
export async function recoverInstalls(parent: string): Promise<void> {
  const names = await listDirectory(parent);
  for (const name of names.filter((entry) => entry.startsWith(incomingPrefix))) {
    await rm(join(parent, name), { recursive: true, force: true });
  }
  for (const name of names.filter((entry) => entry.startsWith(outgoingPrefix))) {
    const target = name.slice(outgoingPrefix.length);
    if (names.includes(target)) await rm(join(parent, name), { recursive: true, force: true });
    else await rename(join(parent, name), join(parent, target));
  }
}

export interface LocatedBuild {
  readonly build: Build;
  readonly directory: string;
}

/** Every readable build below the directory; its binaries are not verified. */
export async function listBuilds(parent: string): Promise<readonly LocatedBuild[]> {
  const found: LocatedBuild[] = [];
  for (const name of await listDirectory(parent)) {
    if (name.startsWith('.')) continue;
    const directory = join(parent, name);
    const build = await readBuild(directory).catch(ignoreDamage);
    if (build !== undefined) found.push({ build, directory });
  }
  return found;
}

/** A damaged build is as good as none here: whoever needs it makes it again. */
function ignoreDamage(thrown: unknown): undefined {
  if (thrown instanceof RedroverError && thrown.code === 'integrity') return undefined;
  throw thrown;
}

async function listDirectory(path: string): Promise<readonly string[]> {
  try {
    return (await readdir(path)).sort();
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return [];
    throw fileError(thrown, `reading ${path}`);
  }
}

/** `redis-server` or `valkey-server`: the one of the build's binaries that serves. */
export function serverName(build: Build): string {
  return binaryEndingIn(build, '-server');
}

/** `redis-cli` or `valkey-cli`. */
export function cliName(build: Build): string {
  return binaryEndingIn(build, '-cli');
}

function binaryEndingIn(build: Build, ending: string): string {
  const name = Object.keys(build.provenance.binaries).find((binary) => binary.endsWith(ending));
  if (name !== undefined) return name;
  throw new RedroverError('integrity', `build ${build.id} of ${build.release} has no *${ending}`);
}
