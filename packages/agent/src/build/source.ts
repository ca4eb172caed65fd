/**
 * Gets the source archive of a release into the cache. What comes is saved under a name of its own,
 * and only an archive with the release's digest ever bears the name that is used.
 */
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { RedroverError, type Release } from '@redrover/core';

import { fileError, syncDirectory } from '../files/durable-file.ts';
import { fetchAptArchive, findAptArchives, type AptOptions } from './apt/archive.ts';
import { digestFile, saveStream, type ByteStream } from './digest.ts';
import { openDownload } from './download.ts';

/** A blob of the controller: an uploaded source archive or a packed build. */
export interface BlobDownload {
  readonly chunks: ByteStream;
  /** Of the whole blob, where the sender said it. */
  readonly sizeBytes?: number | undefined;
  readonly sha256?: string | undefined;
}

export interface SourceOptions {
  /** The cache's folder for sources. */
  readonly directory: string;
  /** A folder that is this build's alone, on the same file system. */
  readonly scratch: string;
  readonly fetchUpload: (sha256: string, signal?: AbortSignal) => Promise<BlobDownload>;
  readonly apt: AptOptions;
  /** How long a transfer may be silent, in milliseconds. */
  readonly stallTimeoutMs: number;
  readonly onLine: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface Source {
  readonly path: string;
  /** Where it came from, for provenance. */
  readonly location: string;
}

// The largest official archive so far, of Redis 8, has less than 5 MB; modules may come to 100.
const archiveBytesMax = 512 * 1024 ** 2;

/** Answers the archive in the cache, fetched if need be; its digest has just been verified. */
export async function obtainSource(release: Release, options: SourceOptions): Promise<Source> {
  const path = join(options.directory, release.sha256);
  const location = describeSource(release);
  if (await holdsDigest(path, release.sha256)) {
    options.onLine(`source of ${release.name}: taken from the cache`);
    return { path, location };
  }
  options.onLine(`source of ${release.name}: fetching ${location}`);
  const incoming = join(options.scratch, 'archive');
  try {
    const saved = await fetchSource(release, incoming, options);
    const sha256 = await digestFile(saved);
    if (sha256 !== release.sha256) throw wrongDigest(release, location, sha256);
    await rename(saved, path);
    await syncDirectory(options.directory);
  } catch (thrown) {
    throw fileError(thrown, `saving the source of ${release.name}`);
  } finally {
    await rm(incoming, { recursive: true, force: true });
  }
  return { path, location };
}

export function describeSource({ source, name }: Release): string {
  switch (source.kind) {
    case 'https':
      return source.url;
    case 'upload':
      return `upload:${source.fileName === '' ? name : source.fileName}`;
    case 'apt':
      return `apt:${source.package}${source.suite === '' ? '' : `@${source.suite}`}`;
  }
}

/** Answers the path of what was saved: the incoming path itself, or a file below it. */
async function fetchSource(
  release: Release,
  incoming: string,
  options: SourceOptions,
): Promise<string> {
  const { source } = release;
  switch (source.kind) {
    case 'https': {
      const download = await openDownload(source.url, {
        answerTimeoutMs: options.stallTimeoutMs,
        signal: options.signal,
      });
      return save(download, incoming, { what: source.url, options });
    }
    case 'upload': {
      const blob = await options.fetchUpload(release.sha256, options.signal);
      return save(blob, incoming, { what: describeSource(release), options });
    }
    case 'apt':
      return fetchFromApt(release, incoming, options);
  }
}

async function save(
  blob: BlobDownload,
  path: string,
  { what, options }: { what: string; options: SourceOptions },
): Promise<string> {
  const saved = await saveStream(blob.chunks, path, {
    what,
    maxBytes: archiveBytesMax,
    stallTimeoutMs: options.stallTimeoutMs,
    signal: options.signal,
  });
  if (blob.sizeBytes !== undefined && saved.sizeBytes !== blob.sizeBytes) {
    throw new RedroverError(
      'unavailable',
      `${what}: the transfer ended after ${saved.sizeBytes} of ${blob.sizeBytes} bytes; try again`,
    );
  }
  options.onLine(`received ${(saved.sizeBytes / 1e6).toFixed(1)} MB`);
  return path;
}

async function fetchFromApt(
  release: Release,
  incoming: string,
  options: SourceOptions,
): Promise<string> {
  const { source } = release;
  if (source.kind !== 'apt') throw new RedroverError('internal', 'not an apt: source');
  const aptOptions = { ...options.apt, onLine: options.onLine, signal: options.signal };
  const archives = await findAptArchives(source, aptOptions);
  const archive = archives.find(({ sha256 }) => sha256 === release.sha256);
  if (archive === undefined) throw movedOn(release, archives[0]?.version ?? 'nothing');
  await mkdir(incoming, { recursive: true });
  options.onLine(
    "note: this is the project's archive as the distribution ships it, without its patches to it",
  );
  const path = await fetchAptArchive({ request: source, archive, directory: incoming }, aptOptions);
  return join(incoming, basename(path));
}

async function holdsDigest(path: string, sha256: string): Promise<boolean> {
  const present = await access(path).then(
    () => true,
    () => false,
  );
  if (!present) return false;
  if ((await digestFile(path)) === sha256) return true;
  await rm(path, { force: true });
  return false;
}

function wrongDigest(release: Release, location: string, sha256: string): RedroverError {
  return new RedroverError(
    'integrity',
    `${location} has the SHA-256 ${sha256}, but ${release.name} was registered with ` +
      `${release.sha256}: the file was changed, cut off or is another version. It was deleted unopened. ` +
      'Check the address, or register the release with the digest that its project publishes',
    { context: { found: sha256, wanted: release.sha256 } },
  );
}

function movedOn(release: Release, version: string): RedroverError {
  return new RedroverError(
    'failed-precondition',
    `${describeSource(release)} no longer has the archive of ${release.name} (${release.sha256}); ` +
      `it now has ${version}. Register the release again, or upload the archive`,
  );
}
