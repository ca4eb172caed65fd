/** What `release add SOURCE` may be given: a URL, a package of the distribution, a file. */
import type { ReleaseSource } from '@redrover/core';
import { statSync } from 'node:fs';
import { basename } from 'node:path';

import { UsageError } from '../program/usage-error.ts';

export type SourceArgument =
  | { readonly kind: 'remote'; readonly source: ReleaseSource }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly fileName: string;
      readonly sizeBytes: number;
    };

const EXPECTED =
  'expected https://…/redis-X.Y.Z.tar.gz, apt:PACKAGE (apt:PACKAGE@SUITE), or the path of a .tar.gz';

/** Errors: `UsageError` for what is none of the three, or a file that is not there. */
export function readSourceArgument(text: string): SourceArgument {
  if (text.startsWith('https://')) {
    return { kind: 'remote', source: { kind: 'https', url: text } };
  }
  if (text.startsWith('http://')) {
    throw new UsageError(`${text} is not encrypted: use https, or download it and give the file`);
  }
  if (text.startsWith('apt:')) return { kind: 'remote', source: readAptSource(text) };
  const path = text.replace(/^file:(\/\/)?/, '');
  return { kind: 'file', path, fileName: basename(path), sizeBytes: sizeOf(path) };
}

function readAptSource(text: string): ReleaseSource {
  const match = /^apt:([a-z0-9][a-z0-9+.-]+)(?:@([a-z0-9./-]+))?$/.exec(text);
  if (match?.[1] === undefined) throw new UsageError(`"${text}" is not a source: ${EXPECTED}`);
  return { kind: 'apt', package: match[1], suite: match[2] ?? '' };
}

function sizeOf(path: string): number {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new UsageError(`there is no file ${path}: ${EXPECTED}`);
  if (!stat.isFile()) throw new UsageError(`${path} is not a file: ${EXPECTED}`);
  if (stat.size === 0) throw new UsageError(`${path} is empty`);
  return stat.size;
}
