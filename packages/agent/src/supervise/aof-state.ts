/**
 * Whether a node's directory holds a complete append-only file, so that a start loads the last state.
 *
 * Only presence is looked at: a file that is broken inside makes the server refuse to start, which
 * endangers nothing, while a missing one makes it start empty. A command cut off at the very end was
 * never acknowledged, as the server writes the file before it answers (Redis documentation,
 * "Append-only file").
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { compareVersions } from '@redrover/core';
import { errnoOf, fileError } from '../files/durable-file.ts';
import { readNodeFile } from '../nodes/node-file.ts';
import { AOF_DIRECTORY_NAME, AOF_NAME } from '../nodes/paths.ts';

export interface AofState {
  readonly complete: boolean;
  /** What is missing; empty when complete. */
  readonly problem: string;
}

/** `version` decides the layout: one file before Redis 7.0, since then parts and a manifest. */
export async function readAofState(directory: string, version: string): Promise<AofState> {
  if (compareVersions(version, '7.0.0') < 0) {
    return requireFiles(directory, [{ name: AOF_NAME, mayBeEmpty: false }]);
  }
  const parts = join(directory, AOF_DIRECTORY_NAME);
  const manifest = `${AOF_NAME}.manifest`;
  const text = await readNodeFile(join(parts, manifest));
  if (text === undefined) return { complete: false, problem: `${manifest} is missing` };
  const files = parseManifest(text);
  if (files.length === 0) return { complete: false, problem: `${manifest} names no file` };
  return requireFiles(parts, files);
}

interface AofFile {
  readonly name: string;
  /** The increments start out empty. */
  readonly mayBeEmpty: boolean;
}

/** Lines `file NAME seq N type b|i|h`; `h` (history) is about to be deleted and not loaded. */
function parseManifest(text: string): AofFile[] {
  const files: AofFile[] = [];
  for (const line of text.split('\n')) {
    const words = line.trim().split(' ');
    const name = valueAfter(words, 'file')?.replace(/^"(.*)"$/, '$1');
    const type = valueAfter(words, 'type');
    if (name === undefined || (type !== 'b' && type !== 'i')) continue;
    files.push({ name, mayBeEmpty: type === 'i' });
  }
  return files;
}

function valueAfter(words: readonly string[], word: string): string | undefined {
  const index = words.indexOf(word);
  return index === -1 ? undefined : words[index + 1];
}

async function requireFiles(directory: string, files: readonly AofFile[]): Promise<AofState> {
  for (const { name, mayBeEmpty } of files) {
    const path = join(directory, name);
    const size = await sizeOf(path);
    if (size === undefined) return { complete: false, problem: `${name} is missing` };
    if (size === 0 && !mayBeEmpty) return { complete: false, problem: `${name} is empty` };
  }
  return { complete: true, problem: '' };
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return undefined;
    throw fileError(thrown, `looking at ${path}`);
  }
}
