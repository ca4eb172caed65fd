/**
 * The distribution's own source archives: a private apt with its own lists and cache, so that the
 * system's apt is left untouched. Signatures are checked by apt, as for the system's packages.
 *
 * Only the project's archive is fetched, not the distribution's patches to it.
 */
import { join } from 'node:path';

import { RedroverError } from '@redrover/core';

import { withMachineLock } from '../machine-lock.ts';
import { runCommand, type CommandOutcome } from '../run-command.ts';
import { configureApt, type AptRequest, type ConfigurationOptions } from './configuration.ts';
import { parseSourceIndex, type AptArchive } from './source-index.ts';

export interface AptOptions extends ConfigurationOptions {
  readonly onLine?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The archives of the package that the suite has now, newest first. */
export async function findAptArchives(
  request: AptRequest,
  options: AptOptions,
): Promise<readonly AptArchive[]> {
  return withApt(request, options, (configuration) => find(request, configuration, options));
}

async function find(
  request: AptRequest,
  configuration: string,
  options: AptOptions,
): Promise<readonly AptArchive[]> {
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
  const source = `${request.package}=${archive.packageVersion}`;
  const args = ['source', '--download-only', '--tar-only', '--only-source', source];
  const outcome = await withApt(request, options, (configuration) =>
    runApt('apt-get', args, configuration, { ...options, cwd: directory }),
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

/** apt refuses to work when another one is at work in the same lists. */
async function withApt<T>(
  request: AptRequest,
  options: AptOptions,
  work: (configuration: string) => Promise<T>,
): Promise<T> {
  checkWords(request);
  const configuration = await configureApt(request, options);
  const lock = { path: join(options.directory, 'lock'), signal: options.signal };
  return withMachineLock(lock, () => work(configuration));
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

async function runApt(
  program: 'apt-get' | 'apt-cache',
  args: readonly string[],
  configuration: string,
  options: AptOptions & { readonly cwd?: string },
): Promise<CommandOutcome> {
  try {
    return await runCommand(program, ['-c', configuration, '-q', ...args], {
      cwd: options.cwd ?? '/',
      environment: { ...process.env, LC_ALL: 'C' },
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
      environment: { ...process.env, APT_CONFIG: configuration },
    });
    return exitCode === 0;
  }
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
