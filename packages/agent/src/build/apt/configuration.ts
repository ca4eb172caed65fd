/**
 * The configuration of a private apt: its own sources, lists and cache, derived from the system's
 * sources, of which nothing is changed.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { RedroverError } from '@redrover/core';

import { errnoOf, fileError } from '../../files/durable-file.ts';
import { deriveSources, type SourcesFile } from './sources-list.ts';

export interface AptRequest {
  /** Name of a source package. */
  readonly package: string;
  /** Empty: the host's own suite. */
  readonly suite: string;
}

export interface ConfigurationOptions {
  /** Ours alone: lists, cache and configuration of the private apt are kept below it. */
  readonly directory: string;
  /** The system's own, usually `/etc`. */
  readonly etcDirectory: string;
}

/** Writes the private configuration; answers the file's path. */
export async function configureApt(
  request: AptRequest,
  options: ConfigurationOptions,
): Promise<string> {
  const own = join(options.directory, request.suite === '' ? 'own-suite' : request.suite);
  const sources = deriveSources(await readSystemSources(options.etcDirectory), {
    codename: await readCodename(options.etcDirectory),
    suite: request.suite,
  });
  if (sources.deb822 === '' && sources.oneLine === '') throw noEntry(request, options.etcDirectory);
  try {
    for (const part of ['sources', 'lists/partial', 'cache/archives/partial', 'state']) {
      await mkdir(join(own, part), { recursive: true, mode: 0o755 });
    }
    await replaceFile(join(own, 'sources/redrover.sources'), sources.deb822);
    await replaceFile(join(own, 'sources/redrover.list'), sources.oneLine);
    await replaceFile(join(own, 'apt.conf'), renderConfiguration(own));
  } catch (thrown) {
    throw fileError(thrown, `setting up a private apt in ${own}`);
  }
  return join(own, 'apt.conf');
}

// Given with -c, which apt reads after the system's own configuration: proxies and certificates
// stay, and hooks that belong to the system's packages are not run.
function renderConfiguration(own: string): string {
  return `Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "${own}/sources";
Dir::State "${own}/state";
Dir::State::Lists "${own}/lists";
Dir::Cache "${own}/cache";
Acquire::Languages "none";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
`;
}

/** Two builds of one machine may be at it: each reads a whole file. */
async function replaceFile(path: string, content: string): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  if (content === '') return rm(path, { force: true });
  await writeFile(temporary, content, { mode: 0o644 });
  await rename(temporary, path);
}

async function readSystemSources(etcDirectory: string): Promise<SourcesFile[]> {
  const parts = join(etcDirectory, 'apt/sources.list.d');
  const names = await readdir(parts).catch(ignoreAbsence<string[]>([]));
  const paths = [
    join(etcDirectory, 'apt/sources.list'),
    ...names.filter((name) => /\.(?:list|sources)$/.test(name)).map((name) => join(parts, name)),
  ];
  return Promise.all(
    paths.map(async (name) => ({
      name,
      content: await readFile(name, 'utf8').catch(ignoreAbsence('')),
    })),
  );
}

function ignoreAbsence<T>(instead: T): (thrown: unknown) => T {
  return (thrown) => {
    if (errnoOf(thrown) === 'ENOENT') return instead;
    throw fileError(thrown, "reading the system's apt sources");
  };
}

async function readCodename(etcDirectory: string): Promise<string> {
  const release = await readFile(join(etcDirectory, 'os-release'), 'utf8').catch(ignoreAbsence(''));
  return /^VERSION_CODENAME="?([^"\n]+)"?$/m.exec(release)?.[1] ?? '';
}

function noEntry(request: AptRequest, etcDirectory: string): RedroverError {
  const suite = request.suite === '' ? "the host's own suite" : `the suite ${request.suite}`;
  return new RedroverError(
    'failed-precondition',
    `${etcDirectory}/apt names no archive with ${suite}: an apt: source needs Debian, Ubuntu ` +
      'or one of their kin; use the official https: address, or upload the source archive',
  );
}
