/**
 * Finds the compiler and what else a release needs; as root installs what is missing.
 *
 * Tools are found by using them, not by asking for packages: a compiler of one's own counts too.
 */
import { execa } from 'execa';
import { hasTls, RedroverError, type Release } from '@redrover/core';

import { runCommand } from './run-command.ts';
import {
  installAdvice,
  installCommands,
  missingTools,
  packagesFor,
  type PackageManager,
  type Tools,
} from './toolchain-plan.ts';

export interface Toolchain {
  /** The first line of `cc --version`. */
  readonly compiler: string;
  /** Whether OpenSSL's headers are there. */
  readonly tls: boolean;
}

export interface ToolchainOptions {
  /** Whether the agent may install packages. */
  readonly root: boolean;
  readonly xz: boolean;
  readonly onLine?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Throws `permission-denied`, or as root `failed-precondition`, with the command to run when
 * something is missing still.
 */
export async function ensureToolchain(
  release: Release,
  options: ToolchainOptions,
): Promise<Toolchain> {
  const archive = { xz: options.xz, tls: hasTls(release) };
  const missing = missingTools(await findTools(), release, archive);
  if (missing.length > 0 && options.root) await install(missing, options);
  const tools = await findTools();
  const left = missingTools(tools, release, { ...archive, tls: false });
  if (left.length > 0) throw await cannotCompile(left, options.root);
  if (archive.tls && !tools.opensslHeaders) {
    const advice = installAdvice(await findPackageManager(), ['opensslHeaders']);
    options.onLine?.(`OpenSSL's headers are missing: building without TLS (for TLS ${advice})`);
  }
  return { compiler: await readCompiler(), tls: tools.opensslHeaders };
}

/** The first line of `cc --version`; empty without a compiler. */
export async function readCompiler(): Promise<string> {
  const { exitCode, stdout } = await execa('cc', ['--version'], { reject: false });
  return exitCode === 0 ? (stdout.split('\n')[0] ?? '') : '';
}

export async function findTools(): Promise<Tools> {
  const [cc, cxx, make, xz, libcHeaders, opensslHeaders] = await Promise.all([
    answers('cc', ['--version']),
    answers('c++', ['--version']),
    answers('make', ['--version']),
    answers('xz', ['--version']),
    compiles('stdlib.h'),
    compiles('openssl/ssl.h'),
  ]);
  return { cc, cxx, make, xz, libcHeaders, opensslHeaders };
}

async function answers(command: string, args: readonly string[]): Promise<boolean> {
  const { exitCode } = await execa(command, args, { reject: false, stdin: 'ignore' });
  return exitCode === 0;
}

/** Whether the compiler finds the header: by preprocessing a line, without writing a file. */
async function compiles(header: string): Promise<boolean> {
  const { exitCode } = await execa('cc', ['-E', '-x', 'c', '-'], {
    reject: false,
    input: `#include <${header}>\n`,
    stdout: 'ignore',
  });
  return exitCode === 0;
}

async function findPackageManager(): Promise<PackageManager | undefined> {
  for (const manager of ['apt-get', 'dnf', 'yum'] as const) {
    if (await answers(manager, ['--version'])) return manager;
  }
  return undefined;
}

async function install(
  missing: ReturnType<typeof missingTools>,
  options: ToolchainOptions,
): Promise<void> {
  const manager = await findPackageManager();
  if (manager === undefined) return;
  const packages = packagesFor(manager, missing);
  options.onLine?.(`installing ${packages.join(' ')} with ${manager}`);
  for (const [program = manager, ...args] of installCommands(manager, packages)) {
    const outcome = await runCommand(program, args, {
      environment: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      onLine: options.onLine,
      signal: options.signal,
    });
    // A failed `update` need not keep the packages from being there: what counts comes after.
    if (outcome.exitCode !== 0) {
      options.onLine?.(`${program} ${args[0] ?? ''} failed (${outcome.ending})`);
    }
  }
}

async function cannotCompile(
  missing: ReturnType<typeof missingTools>,
  root: boolean,
): Promise<RedroverError> {
  const advice = installAdvice(await findPackageManager(), missing);
  return new RedroverError(
    // Root was allowed to install them, and it did not help.
    root ? 'failed-precondition' : 'permission-denied',
    `this host cannot compile: ${missing.join(', ')} missing; ${advice}`,
    { context: { missing: missing.join(' ') } },
  );
}
