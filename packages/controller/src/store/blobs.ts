/**
 * Content-addressed files: source archives that operators uploaded, and packed builds.
 *
 * A blob is either there, complete, verified and on the disk, or not there at all. Which blobs are
 * still needed is for whoever holds the records to say.
 */
import { createHash, randomUUID, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { RedroverError, type ErrorCode } from '@redrover/core';

/** Half-written files; a crash leaves them behind, and the next start removes them. */
const TEMPORARY_PREFIX = '.tmp-';

/** What the wire contract allows in one message. */
const CHUNK_BYTES = 256 * 1024;

const BLOB_NAME = /^[0-9a-f]{64}$/;

export class Blobs {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Opens the directory and removes what a crash left half-written. */
  static async open(directory: string): Promise<Blobs> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(directory)) {
      if (name.startsWith(TEMPORARY_PREFIX)) await rm(join(directory, name), { force: true });
    }
    return new Blobs(directory);
  }

  /** Begins a blob; nothing is visible before `commit`. */
  async begin(): Promise<BlobWriter> {
    const path = join(this.#directory, `${TEMPORARY_PREFIX}${randomUUID()}`);
    try {
      return new BlobWriter(this.#directory, path, await open(path, 'wx', 0o600));
    } catch (error) {
      throw translateFileError(error, `cannot store a file in ${this.#directory}`);
    }
  }

  async has(sha256: string): Promise<boolean> {
    return (await this.sizeOf(sha256)) !== undefined;
  }

  /** Bytes; undefined if there is no such blob. */
  async sizeOf(sha256: string): Promise<number | undefined> {
    try {
      return (await stat(this.#pathOf(sha256))).size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw translateFileError(error, `cannot read blob ${sha256}`);
    }
  }

  /** The blob's content in chunks of at most 256 KiB; the receiver verifies the digest. */
  async *read(sha256: string): AsyncGenerator<Buffer> {
    const stream = createReadStream(this.#pathOf(sha256), { highWaterMark: CHUNK_BYTES });
    try {
      for await (const chunk of stream) yield chunk as Buffer;
    } catch (error) {
      throw translateFileError(error, `cannot read blob ${sha256}`);
    } finally {
      stream.destroy();
    }
  }

  async remove(sha256: string): Promise<void> {
    await rm(this.#pathOf(sha256), { force: true });
  }

  /** Removes every blob that is not in `wanted`: nothing refers to them any more. */
  async keepOnly(wanted: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      if (!BLOB_NAME.test(name) || wanted.has(name)) continue;
      await rm(join(this.#directory, name), { force: true });
    }
  }

  #pathOf(sha256: string): string {
    // Names come from clients as well; nothing but a digest may become part of a path.
    if (!BLOB_NAME.test(sha256)) {
      throw new RedroverError('invalid-argument', `"${sha256}" is not a SHA-256 in lower case`);
    }
    return join(this.#directory, sha256);
  }
}

export class BlobWriter {
  readonly #directory: string;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #hash: Hash = createHash('sha256');
  #sizeBytes = 0;

  constructor(directory: string, path: string, file: FileHandle) {
    this.#directory = directory;
    this.#path = path;
    this.#file = file;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#hash.update(chunk);
    this.#sizeBytes += chunk.length;
    try {
      await this.#file.writeFile(chunk);
    } catch (error) {
      throw translateFileError(error, `cannot store a file in ${this.#directory}`);
    }
  }

  /**
   * Verifies the digest, then makes the blob durable and visible.
   *
   * @param accept Given the digest, throws if it is not what was promised.
   * @returns the digest.
   */
  async commit(accept: (sha256: string) => void): Promise<string> {
    const sha256 = this.#hash.digest('hex');
    try {
      accept(sha256);
      await this.#file.sync();
      await this.#file.close();
      await rename(this.#path, join(this.#directory, sha256));
      await syncDirectory(this.#directory);
      return sha256;
    } catch (error) {
      await this.discard();
      throw translateFileError(error, `cannot store a file in ${this.#directory}`);
    }
  }

  /** Leaves no trace; harmless after a commit. */
  async discard(): Promise<void> {
    // Closing twice is reported as an error, and is what a discard after a failed commit does.
    await this.#file.close().catch(() => undefined);
    await rm(this.#path, { force: true });
  }
}

/** A rename is durable only when its directory is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

const CODE_BY_ERRNO: ReadonlyMap<string, ErrorCode> = new Map([
  ['ENOSPC', 'resource-exhausted'],
  ['EDQUOT', 'resource-exhausted'],
  ['EFBIG', 'resource-exhausted'],
  ['EACCES', 'permission-denied'],
  ['EPERM', 'permission-denied'],
  ['EROFS', 'permission-denied'],
  ['ENOENT', 'not-found'],
]);

const ADVICE: Partial<Record<ErrorCode, string>> = {
  'resource-exhausted': 'free some space on its file system and try again',
  'permission-denied': 'check owner and mode of the data directory',
};

function translateFileError(error: unknown, attempt: string): RedroverError {
  if (error instanceof RedroverError) return error;
  const { code: errno, message } = error as NodeJS.ErrnoException;
  const code = CODE_BY_ERRNO.get(errno ?? '') ?? 'internal';
  const advice = ADVICE[code];
  const text = `${attempt}: ${message}${advice === undefined ? '' : `; ${advice}`}`;
  return new RedroverError(code, text, { cause: error });
}
