/** SHA-256 of files, and saving a stream while it is digested. What the digest is compared with is the caller's business. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';

import { RedroverError } from '@redrover/core';

import { errnoOf, fileError } from '../files/durable-file.ts';

export type ByteStream = AsyncIterable<Uint8Array>;

export interface SavedFile {
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface SaveOptions {
  /** Of what, for messages: `https://…/redis-7.0.15.tar.gz`. */
  readonly what: string;
  /** More than this is refused. */
  readonly maxBytes: number;
  /** How long the stream may be silent, in milliseconds. */
  readonly stallTimeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes saved so far. */
  readonly onProgress?: ((savedBytes: number) => void) | undefined;
}

/** SHA-256 of a file as 64 lower-case hexadecimal digits. */
export async function digestFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  } catch (thrown) {
    throw fileError(thrown, `reading ${path}`);
  }
  return hash.digest('hex');
}

/** Writes a stream to a new file, synced; on any failure the file is gone and the stream closed. */
export async function saveStream(
  stream: ByteStream,
  path: string,
  options: SaveOptions,
): Promise<SavedFile> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  try {
    const file = await open(path, 'wx', 0o644);
    try {
      for await (const chunk of withStallTimeout(stream, options)) {
        sizeBytes += chunk.byteLength;
        if (sizeBytes > options.maxBytes) throw tooLarge(options);
        hash.update(chunk);
        await file.writeFile(chunk);
        options.onProgress?.(sizeBytes);
      }
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (thrown) {
    await rm(path, { force: true });
    throw saveError(thrown, path, { options, sizeBytes });
  }
  return { sha256: hash.digest('hex'), sizeBytes };
}

/** Passes chunks on until the stream is silent for too long or the signal is aborted. */
async function* withStallTimeout(
  stream: ByteStream,
  options: SaveOptions,
): AsyncGenerator<Uint8Array> {
  const iterator = stream[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const next = await raceWithDeadline(iterator.next(), options);
      if (next.done === true) {
        ended = true;
        return;
      }
      yield next.value;
    }
  } finally {
    // Not awaited: a peer that is silent may keep the iterator from ever returning.
    if (!ended) iterator.return?.().then(undefined, () => undefined);
  }
}

async function raceWithDeadline<T>(promise: Promise<T>, options: SaveOptions): Promise<T> {
  options.signal?.throwIfAborted();
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(stalled(options)), options.stallTimeoutMs);
  const onAbort = (): void => reject(options.signal?.reason as Error);
  options.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, interrupted]);
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
    // Whichever loses the race fails later without anybody waiting for it.
    promise.catch(() => undefined);
  }
}

function saveError(
  thrown: unknown,
  path: string,
  { options, sizeBytes }: { options: SaveOptions; sizeBytes: number },
): RedroverError {
  if (thrown instanceof RedroverError) return thrown;
  if (options.signal?.aborted === true) {
    return new RedroverError('cancelled', `${options.what}: the transfer was stopped on request`);
  }
  const errno = errnoOf(thrown);
  if (fileErrnos.has(errno)) return fileError(thrown, `writing ${path}`);
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  return new RedroverError(
    'unavailable',
    `${options.what}: the transfer broke off after ${sizeBytes} bytes (${detail}); try again`,
    { cause: thrown },
  );
}

// What writing a file may say; anything else comes from the stream.
const fileErrnos = new Set(['ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'EROFS', 'ENOENT', 'EIO']);

function stalled(options: SaveOptions): RedroverError {
  return new RedroverError(
    'deadline-exceeded',
    `${options.what}: nothing was received for ${options.stallTimeoutMs / 1000} s; ` +
      'check the network and try again',
  );
}

function tooLarge(options: SaveOptions): RedroverError {
  return new RedroverError(
    'integrity',
    `${options.what}: larger than ${options.maxBytes} bytes, which no source archive is; ` +
      'check the address',
  );
}
