/**
 * Files that are either the old or the new version after a crash or a power cut, never half of one.
 *
 * What is in the files belongs to their owners (`nodes/`, `supervise/`, `fence/`).
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, basename } from 'node:path';
import { RedroverError } from '@redrover/core';

export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

export interface DurableFileOptions {
  /** Permission bits; nothing that we write is for everybody, so 0600 is the default. */
  readonly mode?: number;
  /** Default: whoever runs this process. */
  readonly owner?: FileOwner | undefined;
}

/** What a killed process may leave beside the target of a `writeDurableFile`. */
export function isTemporaryFile(name: string): boolean {
  return /^\..+\.[0-9a-f-]{36}\.tmp$/.test(name);
}

/**
 * Writes beside the target, fsyncs, renames over it, fsyncs the directory: when this resolves, the
 * content survives a power cut (rename(2) alone does not promise that).
 */
export async function writeDurableFile(
  path: string,
  content: string,
  options: DurableFileOptions = {},
): Promise<void> {
  // Never a name that a killed predecessor left: in a container all of them have the same pid.
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    const { O_WRONLY, O_CREAT, O_EXCL } = constants;
    const file = await open(temporary, O_WRONLY | O_CREAT | O_EXCL, options.mode ?? 0o600);
    try {
      await file.writeFile(content);
      // The umask may have taken bits away, and the mode counts only for a new file.
      await file.chmod(options.mode ?? 0o600);
      if (options.owner !== undefined) await file.chown(options.owner.uid, options.owner.gid);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (thrown) {
    await rm(temporary, { force: true });
    throw fileError(thrown, `writing ${path}`);
  }
}

/** Makes the directory's entries (created, renamed, removed) survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/**
 * Creates the directory and its parents where missing. An existing one keeps its mode, but gets the
 * owner: whoever created it may have been killed before giving it away.
 */
export async function ensureDirectory(
  path: string,
  options: DurableFileOptions = {},
): Promise<void> {
  try {
    const created = await mkdir(path, { recursive: true, mode: options.mode ?? 0o755 });
    if (options.owner !== undefined) await giveDirectory(path, options.owner);
    if (created !== undefined) await syncDirectory(dirname(created));
  } catch (thrown) {
    throw fileError(thrown, `creating the directory ${path}`);
  }
}

async function giveDirectory(path: string, owner: FileOwner): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const { uid, gid } = await directory.stat();
    if (uid !== owner.uid || gid !== owner.gid) await directory.chown(owner.uid, owner.gid);
  } finally {
    await directory.close();
  }
}

/** The file's text, or undefined when there is none. */
export async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT' || errnoOf(thrown) === 'ENOTDIR') return undefined;
    throw fileError(thrown, `reading ${path}`);
  }
}

/** The `code` of an error of Node's file and process functions; empty for anything else. */
export function errnoOf(thrown: unknown): string {
  if (!(thrown instanceof Error) || !('code' in thrown)) return '';
  return typeof thrown.code === 'string' ? thrown.code : '';
}

/** Translates an error of Node's file functions, by its code. */
export function fileError(thrown: unknown, attempted: string): RedroverError {
  if (thrown instanceof RedroverError) return thrown;
  const errno = errnoOf(thrown);
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  switch (errno) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new RedroverError(
        'resource-exhausted',
        `${attempted}: the disk is full; free some space, then try again`,
        { cause: thrown },
      );
    case 'EACCES':
    case 'EPERM':
      return new RedroverError(
        'permission-denied',
        `${attempted}: not allowed for user id ${process.getuid?.() ?? '?'}; ` +
          'give it the right to, or run the agent as root',
        { cause: thrown },
      );
    case 'EROFS':
      return new RedroverError('permission-denied', `${attempted}: the file system is read-only`, {
        cause: thrown,
      });
    case 'ENOENT':
      return new RedroverError('not-found', `${attempted}: no such file or directory`, {
        cause: thrown,
      });
    default:
      return new RedroverError('internal', `${attempted}: ${detail}`, { cause: thrown });
  }
}
