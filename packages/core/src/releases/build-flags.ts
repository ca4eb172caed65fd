/**
 * How a release wants to be compiled: the arguments and environment of `make`.
 *
 * Whether a compiler is there, and running it, is the agent's business.
 */
import { compareVersions, type Release } from '../model/release.ts';

export interface Compiler {
  readonly family: 'gcc' | 'clang' | 'unknown';
  /** Undefined when the version line was not understood. */
  readonly major: number | undefined;
}

export interface BuildOptions {
  /** Whether OpenSSL's headers are there; without them a release is built without TLS. */
  readonly tls: boolean;
}

export interface BuildFlags {
  /** As given to `make`, without targets and `-j`; sorted into the build's id. */
  readonly makeArguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * The flags of a release for a compiler.
 *
 * @param compilerVersion the first line of `cc --version`.
 */
export function buildFlags(
  release: Pick<Release, 'product' | 'version'>,
  compilerVersion: string,
  options: BuildOptions = { tls: true },
): BuildFlags {
  // jemalloc is the default on Linux; named, so that provenance says it.
  const makeArguments = ['MALLOC=jemalloc'];
  if (hasTls(release) && options.tls) makeArguments.push('BUILD_TLS=yes');
  // Otherwise linked whenever its headers happen to be there, and then missing on the next host.
  if (hasSystemd(release)) makeArguments.push('USE_SYSTEMD=no');
  // REDIS_CFLAGS and not CFLAGS: make hands the latter to jemalloc, whose own flags it replaces.
  if (needsCommon(release, parseCompiler(compilerVersion))) {
    makeArguments.push('REDIS_CFLAGS=-fcommon');
  }
  // One language for the output that is searched for "No space left on device".
  return { makeArguments, environment: { LC_ALL: 'C' } };
}

/** Reads the first line of `cc --version`. */
export function parseCompiler(versionLine: string): Compiler {
  const major = /(\d+)\.\d+(?:\.\d+)?/.exec(versionLine.replace(/\([^)]*\)/, ''))?.[1];
  return {
    family: compilerFamily(versionLine),
    major: major === undefined ? undefined : Number.parseInt(major, 10),
  };
}

function compilerFamily(versionLine: string): Compiler['family'] {
  if (/\bclang\b/i.test(versionLine)) return 'clang';
  return /^(?:gcc|cc|.*-gcc(?:-\d+)?)\b/i.test(versionLine) ? 'gcc' : 'unknown';
}

/** TLS came with Redis 6.0; every Valkey has it. */
export function hasTls(release: Pick<Release, 'product' | 'version'>): boolean {
  return release.product === 'valkey' || compareVersions(release.version, '6.0.0') >= 0;
}

/** `USE_SYSTEMD` came with Redis 6.0. */
function hasSystemd(release: Pick<Release, 'product' | 'version'>): boolean {
  return hasTls(release);
}

/** Redis 8.0 and Valkey 8.1 compile a part of theirs (fast_float) as C++. */
export function needsCxx(release: Pick<Release, 'product' | 'version'>): boolean {
  const since = release.product === 'valkey' ? '8.1.0' : '8.0.0';
  return compareVersions(release.version, since) >= 0;
}

/**
 * Old releases define variables in headers, which links only with common symbols. GCC 10 and
 * clang 11 made `-fno-common` the default; Redis 5.0.3 then fails to link. From 6.2 on every
 * definition is unique. An unknown compiler gets the flag: it changes nothing where it is the default.
 */
function needsCommon(release: Pick<Release, 'product' | 'version'>, compiler: Compiler): boolean {
  if (release.product === 'valkey' || compareVersions(release.version, '6.2.0') >= 0) return false;
  if (compiler.major === undefined || compiler.family === 'unknown') return true;
  return compiler.major >= (compiler.family === 'gcc' ? 10 : 11);
}
