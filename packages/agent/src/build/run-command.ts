/**
 * Runs a foreign program to its end, line by line: compilers, package managers, apt.
 *
 * What the lines and the exit code mean is the caller's business.
 */
import { execa } from 'execa';
import { RedroverError } from '@redrover/core';

import type { FileOwner } from '../files/durable-file.ts';

export interface CommandOptions {
  readonly cwd?: string | undefined;
  /** The whole environment of the program; default: the agent's own. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Whom to run as; default: the agent's own user. */
  readonly user?: FileOwner | undefined;
  /** Called with each line of standard output and standard error, as it comes. */
  readonly onLine?: ((line: string) => void) | undefined;
  /** Ends the program with everything that it started; then `cancelled` is thrown. */
  readonly signal?: AbortSignal | undefined;
}

export interface CommandOutcome {
  readonly exitCode: number | undefined;
  /** How it ended, for people: `exit code 2`, `killed by SIGKILL`. */
  readonly ending: string;
  /** The first lines of standard output and standard error, up to `keptLines`. */
  readonly lines: readonly string[];
  /** The last lines, for error messages. */
  readonly tail: readonly string[];
}

// Enough for what is parsed (an apt index entry, a version line); a compiler writes far more.
const keptLines = 5_000;
// What a person needs to see a compiler's complaint, and what fits into an error message.
const tailLines = 20;
// A line of a C++ error may be of any length; what is longer is cut.
const lineLengthMax = 2_000;
// How long a program may take to leave after SIGTERM before it is killed.
const killDelayMs = 2_000;

/**
 * Resolves also when the program fails; throws `not-found` when it is not installed and
 * `cancelled` when the signal was aborted.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandOutcome> {
  if (isAborted(options)) throw stopped(command);
  const lines: string[] = [];
  const tail: string[] = [];
  const collect = (line: string): void => {
    const cut = line.slice(0, lineLengthMax);
    if (lines.length < keptLines) lines.push(cut);
    tail.push(cut);
    if (tail.length > tailLines) tail.shift();
    options.onLine?.(cut);
  };
  const program = startProgram(command, args, options);
  for await (const line of program.iterable({ from: 'all' })) collect(line);
  const result = await program;
  if (isAborted(options)) throw stopped(command);
  if (result.failed && result.exitCode === undefined && result.signal === undefined) {
    throw cannotRun(command, result.cause ?? result, options);
  }
  return { exitCode: result.exitCode, ending: describeEnding(result), lines, tail };
}

function startProgram(command: string, args: readonly string[], options: CommandOptions) {
  return execa(command, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.environment === undefined ? {} : { env: options.environment }),
    extendEnv: options.environment === undefined,
    ...(options.user === undefined ? {} : { uid: options.user.uid, gid: options.user.gid }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    stdin: 'ignore',
    all: true,
    buffer: false,
    reject: false,
    // make starts compilers: all of them go.
    killDescendants: true,
    forceKillAfterDelay: killDelayMs,
  });
}

function isAborted({ signal }: CommandOptions): boolean {
  return signal?.aborted === true;
}

function stopped(command: string): RedroverError {
  return new RedroverError('cancelled', `${command} was stopped because somebody asked to`);
}

function cannotRun(command: string, cause: unknown, options: CommandOptions): RedroverError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const where = options.cwd === undefined ? '' : ` in ${options.cwd}`;
  if (code === 'ENOENT') {
    return new RedroverError('not-found', `${command} is not installed on this host`, { cause });
  }
  return new RedroverError('failed-precondition', `${command} cannot be run${where}: ${code}`, {
    cause,
  });
}

function describeEnding(result: {
  exitCode?: number | undefined;
  signal?: string | undefined;
}): string {
  if (result.signal !== undefined) return `killed by ${result.signal}`;
  return `exit code ${result.exitCode ?? 'unknown'}`;
}
