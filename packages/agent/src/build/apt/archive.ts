/**
 * The distribution's own source archives: a private apt with its own lists and cache, so that the
 * system's apt is left untouched. Signatures are checked by apt, as for the system's packages.
 *
 * Only the project's archive is fetched, not the distribution's patches to it.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { RedroverError } from '@redrover/core';

import { errnoOf, fileError } from '../../files/durable-file.ts';
import { runCommand, type CommandOutcome } from '../run-command.ts';
import { deriveSources, type SourcesFile } from './sources-list.ts';

export interface AptArchive {
  /** The package's own version with epoch and revision, for example `5:7.0.15-1~deb12u7`. */
  readonly packageVersion: string;
  /** The version of the project, for example `7.0.15`. */
  readonly version: string;
  readonly fileName: string;
  readonly sha256: string;
}

export interface AptRequest {
  /** Name of a source package. */
  readonly package: string;
  /** Empty: the host's own suite. */
  readonly suite: string;
}

export interface AptOptions {
  /** Ours alone: lists, cache and configuration of the private apt are kept below it. */
  readonly directory: string;
  /** The system's own, usually `/etc`. */
  readonly etcDirectory: string;
  readonly onLine?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The archives of the package that the suite has now, newest first. */
export async function findAptArchives(
  request: AptRequest,
  options: AptOptions,
): Promise<readonly AptArchive[]> {
  checkWords(request);
  const configuration = await configure(request, options);
  const update = await runApt('apt-get', ['update'], configuration, options);
  const shown = await runApt(
    'apt-cache',
    ['showsrc', '--only-source', request.package],
    configuration,
    { ...options, onLine: undefined },
  );
  const archives = parseSourceIndex(shown.lines.join('\n'), request.package);
  if (archives.length > 0) return sortNewestFirst(archives, configuration, options);
  throw nothingFound(request, update);
}

/** Downloads one of the archives into the directory; answers its path. */
export async function fetchAptArchive(
  { request, archive, directory }: FetchRequest,
  options: AptOptions,
): Promise<string> {
  checkWords(request);
  const configuration = await configure(request, options);
  const outcome = await runApt(
    'apt-get',
    [
      'source',
      '--download-only',
      '--tar-only',
      '--only-source',
      `${request.package}=${archive.packageVersion}`,
    ],
    configuration,
    { ...options, cwd: directory },
  );
  if (outcome.exitCode === 0) return join(directory, archive.fileName);
  throw new RedroverError(
    'unavailable',
    `apt-get could not fetch the source of ${request.package} ${archive.packageVersion} ` +
      `(${outcome.ending}): ${outcome.tail.slice(-3).join(' / ')}`,
    { context: { output: outcome.tail.join('\n') } },
  );
}

export interface FetchRequest {
  readonly request: AptRequest;
  readonly archive: AptArchive;
  /** Where the archive is put. */
  readonly directory: string;
}

/** They become arguments and lines of a configuration: only what apt itself allows passes. */
function checkWords({ package: name, suite }: AptRequest): void {
  if (!/^[a-z0-9][a-z0-9+.-]{0,63}$/.test(name)) {
    throw new RedroverError('invalid-argument', `"${name}" is not the name of a source package`);
  }
  if (!/^(?:[a-z0-9][a-z0-9./-]{0,63})?$/.test(suite) || suite.includes('..')) {
    throw new RedroverError(
      'invalid-argument',
      `"${suite}" is not a suite; expected for example apt:${name}@sid`,
    );
  }
}

/** Writes the private configuration; answers the file's path. */
async function configure(request: AptRequest, options: AptOptions): Promise<string> {
  const own = join(options.directory, request.suite === '' ? 'own-suite' : request.suite);
  const sources = deriveSources(await readSystemSources(options.etcDirectory), {
    codename: await readCodename(options.etcDirectory),
    suite: request.suite,
  });
  if (sources.deb822 === '' && sources.oneLine === '') throw noEntry(request, options);
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

async function runApt(
  program: 'apt-get' | 'apt-cache',
  args: readonly string[],
  configuration: string,
  options: AptOptions & { readonly cwd?: string },
): Promise<CommandOutcome> {
  try {
    return await runCommand(program, ['-c', configuration, '-q', ...args], {
      cwd: options.cwd ?? '/',
      environment: { ...process.env, LC_ALL: 'C' } as Record<string, string>,
      onLine: options.onLine,
      signal: options.signal,
    });
  } catch (thrown) {
    if (!(thrown instanceof RedroverError) || thrown.code !== 'not-found') throw thrown;
    throw new RedroverError(
      'failed-precondition',
      `${program} is not on this host: an apt: source needs Debian, Ubuntu or one of their kin; ` +
        'use the official https: address, or upload the source archive',
      { cause: thrown },
    );
  }
}

/** Reads `apt-cache showsrc`: the stanzas of the signed source index. */
export function parseSourceIndex(text: string, name: string): AptArchive[] {
  return text.split(/\n\s*\n/).flatMap((stanza): AptArchive[] => {
    const packageVersion = /^Version: (\S+)$/m.exec(stanza)?.[1];
    const isWanted = new RegExp(`^Package: ${name.replaceAll(/[.+]/g, String.raw`\$&`)}$`, 'm');
    if (packageVersion === undefined || !isWanted.test(stanza)) return [];
    const digests = /^Checksums-Sha256:\s*\n((?: .*\n?)+)/m.exec(stanza)?.[1] ?? '';
    // Not `.orig-<component>.tar`, and not the distribution's own `.debian.tar`.
    const [, sha256, fileName] =
      /^ ([0-9a-f]{64}) \d+ (\S+\.orig\.tar\.[a-z0-9]+)$/m.exec(digests) ?? [];
    if (sha256 === undefined || fileName === undefined) return [];
    return [{ packageVersion, version: upstreamVersion(packageVersion), fileName, sha256 }];
  });
}

/** `5:7.0.15-1~deb12u7` → `7.0.15`, `1:8.1.1+dfsg1-3` → `8.1.1` (Debian policy, 5.6.12). */
function upstreamVersion(packageVersion: string): string {
  return packageVersion
    .replace(/^\d+:/, '')
    .replace(/-[^-]*$/, '')
    .replace(/[~+].*$/, '');
}

/** The order is apt's own: `1.0~rc1` is older than `1.0`. */
async function sortNewestFirst(
  archives: readonly AptArchive[],
  configuration: string,
  options: AptOptions,
): Promise<readonly AptArchive[]> {
  const [first] = archives;
  if (first === undefined || archives.length === 1) return archives;
  let newest = first;
  for (const archive of archives.slice(1)) {
    if (await isNewer(archive.packageVersion, newest.packageVersion)) newest = archive;
  }
  return [newest, ...archives.filter((archive) => archive !== newest)];

  async function isNewer(a: string, b: string): Promise<boolean> {
    const { exitCode } = await runCommand('dpkg', ['--compare-versions', a, 'gt', b], {
      signal: options.signal,
      environment: { ...process.env, APT_CONFIG: configuration } as Record<string, string>,
    });
    return exitCode === 0;
  }
}

function noEntry(request: AptRequest, options: AptOptions): RedroverError {
  const suite = request.suite === '' ? "the host's own suite" : `the suite ${request.suite}`;
  return new RedroverError(
    'failed-precondition',
    `${options.etcDirectory}/apt names no archive with ${suite}: an apt: source needs Debian, Ubuntu ` +
      'or one of their kin; use the official https: address, or upload the source archive',
  );
}

function nothingFound(request: AptRequest, update: CommandOutcome): RedroverError {
  const where = request.suite === '' ? "the host's own suite" : request.suite;
  if (update.exitCode !== 0) {
    const complaints = update.lines.filter((line) => /^(?:E|W|Err):?/.test(line)).slice(0, 3);
    return new RedroverError(
      'unavailable',
      `apt-get update for ${where} failed (${update.ending}): ${complaints.join(' / ')}`,
      { context: { output: update.tail.join('\n') } },
    );
  }
  return new RedroverError(
    'not-found',
    `${where} has no source package ${request.package}; name another suite, ` +
      `for example apt:${request.package}@sid`,
  );
}
