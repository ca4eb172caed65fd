/** Which packages a host lacks to compile a release, and the command that installs them. Pure. */
import { needsCxx, type Release } from '@redrover/core';

/** What was found on the host. */
export interface Tools {
  readonly cc: boolean;
  readonly cxx: boolean;
  readonly make: boolean;
  /** The C library's own headers. */
  readonly libcHeaders: boolean;
  readonly opensslHeaders: boolean;
  readonly xz: boolean;
}

export type PackageManager = 'apt-get' | 'dnf' | 'yum';

type Tool = keyof Tools;

const packageNames: Readonly<Record<PackageManager, Readonly<Record<Tool, string>>>> = {
  'apt-get': {
    cc: 'gcc',
    cxx: 'g++',
    make: 'make',
    libcHeaders: 'libc6-dev',
    opensslHeaders: 'libssl-dev',
    xz: 'xz-utils',
  },
  dnf: {
    cc: 'gcc',
    cxx: 'gcc-c++',
    make: 'make',
    libcHeaders: 'glibc-devel',
    opensslHeaders: 'openssl-devel',
    xz: 'xz',
  },
  yum: {
    cc: 'gcc',
    cxx: 'gcc-c++',
    make: 'make',
    libcHeaders: 'glibc-devel',
    opensslHeaders: 'openssl-devel',
    xz: 'xz',
  },
};

/** The tools that a release wants; without OpenSSL it can be built too, but has no TLS. */
export function missingTools(
  tools: Tools,
  release: Pick<Release, 'product' | 'version'>,
  archive: { readonly xz: boolean; readonly tls: boolean },
): Tool[] {
  const wanted: Tool[] = ['cc', 'make', 'libcHeaders'];
  if (needsCxx(release)) wanted.push('cxx');
  if (archive.tls) wanted.push('opensslHeaders');
  if (archive.xz) wanted.push('xz');
  return wanted.filter((tool) => !tools[tool]);
}

export function packagesFor(manager: PackageManager, missing: readonly Tool[]): string[] {
  return [...new Set(missing.map((tool) => packageNames[manager][tool]))];
}

/** The commands to run as root, one after another. */
export function installCommands(
  manager: PackageManager,
  packages: readonly string[],
): readonly (readonly string[])[] {
  if (manager !== 'apt-get') return [[manager, 'install', '-y', ...packages]];
  return [
    ['apt-get', 'update'],
    // Another apt may be at work on a fresh machine (unattended upgrades): two minutes for it.
    [
      'apt-get',
      '-o',
      'DPkg::Lock::Timeout=120',
      'install',
      '-y',
      '--no-install-recommends',
      ...packages,
    ],
  ];
}

/** The one command for a person who may use sudo. */
export function installAdvice(
  manager: PackageManager | undefined,
  missing: readonly Tool[],
): string {
  if (manager === undefined) {
    return `install ${packagesFor('apt-get', missing).join(' ')} (the names on Debian)`;
  }
  return `run: sudo ${manager} install -y ${packagesFor(manager, missing).join(' ')}`;
}
