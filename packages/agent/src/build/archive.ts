/**
 * Unpacks archives that somebody else made: every member is judged before the first is written, and
 * one that climbs out refuses the whole archive.
 *
 * Whether the archive is the right one (its digest) must have been checked before.
 */
import { open } from 'node:fs/promises';
import { isAbsolute, posix } from 'node:path';

import { RedroverError } from '@redrover/core';
import { extract, list, type ReadEntry } from 'tar';

import { errnoOf, fileError, type FileOwner } from '../files/durable-file.ts';
import { runCommand } from './run-command.ts';

export interface UnpackOptions {
  readonly archive: string;
  /** An existing, empty directory. */
  readonly directory: string;
  /** Who shall own the files; default: the agent's own user. */
  readonly owner?: FileOwner | undefined;
}

// The largest source so far, Redis 8 with its modules' sources, unpacks to less than 200 MB.
const unpackedBytesMax = 2 * 1024 ** 3;
const membersMax = 200_000;

/** Types that a source archive may hold: no devices, no pipes. */
const plainTypes = new Set(['File', 'OldFile', 'ContiguousFile', 'Directory', 'GNUDumpDir']);

/** Unpacks and answers the names of the top-level members. */
export async function unpackArchive(options: UnpackOptions): Promise<readonly string[]> {
  const topLevel = await judgeMembers(options.archive);
  try {
    await extract({
      file: options.archive,
      cwd: options.directory,
      strict: true,
      ...(options.owner === undefined ? { preserveOwner: false } : options.owner),
    });
  } catch (thrown) {
    throw archiveError(thrown, options.archive);
  }
  return topLevel;
}

/** Throws `integrity` for the first member that must not be unpacked. */
async function judgeMembers(archive: string): Promise<readonly string[]> {
  const judge = new MemberJudge();
  let refused: RedroverError | undefined;
  try {
    await list({
      file: archive,
      strict: true,
      onReadEntry: (entry) => {
        // Thrown inside tar's parser it would end the process: it is kept for later.
        refused ??= judge.reasonToRefuse(entry, archive);
      },
    });
  } catch (thrown) {
    throw refused ?? archiveError(thrown, archive);
  }
  if (refused !== undefined) throw refused;
  if (judge.topLevel.size === 0) {
    throw new RedroverError('integrity', `${archive} is empty or not a tar archive`);
  }
  return [...judge.topLevel];
}

class MemberJudge {
  readonly topLevel = new Set<string>();
  readonly #symlinks = new Set<string>();
  #members = 0;
  #bytes = 0;

  reasonToRefuse(entry: ReadEntry, archive: string): RedroverError | undefined {
    const reason = this.#reason(entry);
    if (reason === undefined) return undefined;
    return new RedroverError(
      'integrity',
      `${archive} was not unpacked: its member "${entry.path}" ${reason}`,
      { context: { member: entry.path } },
    );
  }

  #reason(entry: ReadEntry): string | undefined {
    this.#members += 1;
    this.#bytes += entry.size;
    if (this.#members > membersMax) return `is one too many (${membersMax} at most)`;
    if (this.#bytes > unpackedBytesMax) return `takes it beyond ${unpackedBytesMax} bytes`;
    if (climbsOut(entry.path)) return 'lies outside of the archive';
    const path = posix.normalize(entry.path).replace(/\/$/, '');
    if (this.#leadsThroughSymlink(path)) return 'leads through a symbolic link';
    this.topLevel.add(path.split('/')[0] ?? path);
    return this.#reasonOfType(entry, path);
  }

  #reasonOfType(entry: ReadEntry, path: string): string | undefined {
    const target = entry.linkpath ?? '';
    if (plainTypes.has(entry.type)) return undefined;
    if (entry.type === 'SymbolicLink') {
      this.#symlinks.add(path);
      const inside = posix.join(posix.dirname(path), target);
      return isAbsolute(target) || climbsOut(inside) ? `links to "${target}" outside` : undefined;
    }
    if (entry.type === 'Link') {
      return climbsOut(target) || this.#leadsThroughSymlink(posix.normalize(target))
        ? `links to "${target}" outside`
        : undefined;
    }
    return `is a ${entry.type}`;
  }

  /** A link and a member below it in one archive: where that lands depends on the order alone. */
  #leadsThroughSymlink(path: string): boolean {
    if (this.#symlinks.has(path)) return true;
    for (let parent = posix.dirname(path); parent !== '.'; parent = posix.dirname(parent)) {
      if (this.#symlinks.has(parent)) return true;
    }
    return false;
  }
}

function climbsOut(path: string): boolean {
  return isAbsolute(path) || path.split('/').includes('..');
}

function archiveError(thrown: unknown, archive: string): RedroverError {
  if (thrown instanceof RedroverError) return thrown;
  if (fileErrnos.has(errnoOf(thrown))) return fileError(thrown, `unpacking ${archive}`);
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  return new RedroverError('integrity', `${archive} is damaged or cut off (${detail})`, {
    cause: thrown,
  });
}

const fileErrnos = new Set(['ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'EROFS', 'ENOENT', 'EIO']);

/** Decompresses an .xz file beside it, which tar does not do by itself; answers the new file's path. */
export async function decompressXz(archive: string, target: string): Promise<string> {
  // -f counts blocks of 512 or 1024 bytes, as the shell has it: 2 or 4 GiB at most.
  const script = `ulimit -f ${unpackedBytesMax / 512}; exec xz -dc "$1" > "$2"`;
  const outcome = await runCommand('sh', ['-c', script, 'sh', archive, target]);
  if (outcome.exitCode === 0) return target;
  const output = outcome.tail.join(' / ');
  if (/No space left on device|Disk quota exceeded/.test(output)) {
    throw new RedroverError('resource-exhausted', `unpacking ${archive}: the disk is full`);
  }
  throw new RedroverError('integrity', `${archive} is damaged or cut off (${output})`);
}

/** Whether the file is xz-compressed, as some distributions repack sources ("The .xz File Format", 2.1.1.1). */
export async function isXz(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(6), 0, 6, 0);
    return bytesRead === 6 && buffer.equals(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]));
  } finally {
    await file.close();
  }
}
