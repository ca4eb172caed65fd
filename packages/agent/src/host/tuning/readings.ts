/** Reads everything that tuning is decided on, and changes nothing. What it means is `plan.ts`'s business. */
import { access, constants, readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { errnoOf, readIfPresent } from '../../files/durable-file.ts';
import type { HostPaths } from '../host-paths.ts';
import type { ConfigFile } from './config-files.ts';
import { ownFiles, sysctlPath, sysctlSettings } from './settings.ts';

/** Whether the agent could write: as found by asking the kernel, not by guessing from the user. */
export type Access = 'writable' | 'needs-root' | 'read-only';

export interface ValueReading {
  readonly path: string;
  /** Undefined: the kernel has no such file here. */
  readonly content: string | undefined;
  readonly access: Access;
}

/** How something can be made to happen at boot on this host. */
export type BootMechanism = 'tmpfiles' | 'openrc' | 'rc-local';

export interface Readings {
  readonly root: boolean;
  readonly sysctls: Readonly<Record<string, ValueReading>>;
  readonly hugePages: ValueReading;
  /** `sysctl.d` and its kin, in the order in which they count. */
  readonly sysctlFiles: readonly ConfigFile[];
  readonly limitsFiles: readonly ConfigFile[];
  readonly tmpfilesFiles: readonly ConfigFile[];
  readonly bootScripts: readonly ConfigFile[];
  readonly bootMechanism: BootMechanism;
  readonly kernelCommandLine: string;
  /** Content of each of our own files, and whether it could be written; by path. */
  readonly ownFiles: Readonly<Record<string, ValueReading>>;
  /** Of the agent itself, from /proc/self/limits. */
  readonly nofile: { readonly soft: number; readonly hard: number };
  /** Whether the agent may raise a hard limit: root in a container often may not. */
  readonly mayRaiseLimits: boolean;
  readonly swapTotalBytes: number;
  readonly swappiness: number;
  /** The program that keeps the clock right; empty if none was seen. */
  readonly timeSync: string;
}

export async function readTuning(paths: HostPaths): Promise<Readings> {
  const own = Object.values(ownFiles).map((name) => join(paths.etc, name));
  const sysctls = sysctlSettings.map(({ name }) => [name, procPath(paths, name)] as const);
  return {
    root: process.getuid?.() === 0,
    sysctls: Object.fromEntries(
      await Promise.all(sysctls.map(async ([name, path]) => [name, await readValue(path)])),
    ) as Record<string, ValueReading>,
    hugePages: await readValue(join(paths.sys, 'kernel/mm/transparent_hugepage/enabled')),
    sysctlFiles: await readSysctlFiles(paths),
    limitsFiles: await readLimitsFiles(paths),
    tmpfilesFiles: await readOverlaid(folders(paths, 'tmpfiles.d'), '.conf'),
    bootScripts: await readBootScripts(paths),
    bootMechanism: await findBootMechanism(paths),
    kernelCommandLine: (await readIfPresent(join(paths.proc, 'cmdline'))) ?? '',
    ownFiles: Object.fromEntries(
      await Promise.all(own.map(async (path) => [path, await readValue(path)])),
    ) as Record<string, ValueReading>,
    nofile: readOwnNofile((await readIfPresent(join(paths.proc, 'self/limits'))) ?? ''),
    mayRaiseLimits: mayRaiseLimits((await readIfPresent(join(paths.proc, 'self/status'))) ?? ''),
    ...(await readSwap(paths)),
    timeSync: await findTimeSync(paths),
  };
}

export function procPath(paths: HostPaths, name: string): string {
  return join(paths.proc, 'sys', sysctlPath(name));
}

async function readValue(path: string): Promise<ValueReading> {
  const content = await readIfPresent(path);
  return { path, content, access: await readAccess(path) };
}

/** Of the file, or of the nearest folder above in which it would be created. */
async function readAccess(path: string): Promise<Access> {
  try {
    await access(path, constants.W_OK);
    return 'writable';
  } catch (thrown) {
    switch (errnoOf(thrown)) {
      case 'ENOENT':
        return readAccess(dirname(path));
      case 'EROFS':
        return 'read-only';
      default:
        // Root is refused by a container, not for want of rights that a person could give.
        return process.getuid?.() === 0 ? 'read-only' : 'needs-root';
    }
  }
}

function folders({ etc, run, usr }: HostPaths, name: string): string[] {
  return [join(etc, name), join(run, name), join(usr, 'local/lib', name), join(usr, 'lib', name)];
}

/** Sorted by base name; of one name in several folders the first folder's counts (sysctl.d(5), tmpfiles.d(5)). */
async function readOverlaid(directories: readonly string[], ending: string): Promise<ConfigFile[]> {
  const byName = new Map<string, ConfigFile>();
  for (const directory of directories) {
    for (const file of await readFolder(directory, ending)) {
      const name = basename(file.path);
      if (!byName.has(name)) byName.set(name, file);
    }
  }
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, file]) => file);
}

async function readFolder(directory: string, ending: string): Promise<ConfigFile[]> {
  const names = await readdir(directory).catch((thrown: unknown) => {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(thrown))) return [];
    throw thrown;
  });
  const paths = names.filter((name) => name.endsWith(ending)).sort();
  return readFiles(paths.map((name) => join(directory, name)));
}

/** Files that are not there, dangle or are folders say nothing. */
async function readFiles(paths: readonly string[]): Promise<ConfigFile[]> {
  const files: ConfigFile[] = [];
  for (const path of paths) {
    const content = await readFile(path, 'utf8').catch((thrown: unknown) => {
      if (['ENOENT', 'EISDIR', 'EACCES', 'ENOTDIR'].includes(errnoOf(thrown))) return undefined;
      throw thrown;
    });
    if (content !== undefined) files.push({ path, content });
  }
  return files;
}

async function readSysctlFiles(paths: HostPaths): Promise<ConfigFile[]> {
  const overlaid = await readOverlaid(folders(paths, 'sysctl.d'), '.conf');
  return [...overlaid, ...(await readFiles([join(paths.etc, 'sysctl.conf')]))];
}

async function readLimitsFiles({ etc }: HostPaths): Promise<ConfigFile[]> {
  const main = await readFiles([join(etc, 'security/limits.conf')]);
  return [...main, ...(await readFolder(join(etc, 'security/limits.d'), '.conf'))];
}

/** Only scripts that may be executed run at boot. */
async function readBootScripts({ etc }: HostPaths): Promise<ConfigFile[]> {
  const scripts = [
    ...(await readFolder(join(etc, 'local.d'), '.start')),
    ...(await readFiles([join(etc, 'rc.local'), join(etc, 'rc.d/rc.local')])),
  ];
  const runs = await Promise.all(scripts.map(({ path }) => isExecutable(path)));
  return scripts.filter((_, index) => runs[index] === true);
}

async function isExecutable(path: string): Promise<boolean> {
  return ((await stat(path)).mode & 0o100) !== 0;
}

async function findBootMechanism({ usr, run }: HostPaths): Promise<BootMechanism> {
  // Installed counts, also where something else is process 1 just now (a rescue shell, a container).
  const signs = [join(run, 'systemd/system'), join(usr, 'lib/systemd/systemd')];
  if ((await Promise.all(signs.map(exists))).includes(true)) return 'tmpfiles';
  if (await exists(join(run, 'openrc'))) return 'openrc';
  return 'rc-local';
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function readOwnNofile(limits: string): { soft: number; hard: number } {
  const [, soft, hard] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(limits) ?? [];
  const read = (text: string | undefined): number =>
    text === 'unlimited' ? Number.POSITIVE_INFINITY : Number.parseInt(text ?? '0', 10);
  return { soft: read(soft), hard: read(hard) };
}

// Bit of CAP_SYS_RESOURCE in the effective set (capabilities(7), linux/capability.h).
const sysResourceBit = 24n;

function mayRaiseLimits(status: string): boolean {
  const effective = /^CapEff:\s+([0-9a-f]+)$/m.exec(status)?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> sysResourceBit) & 1n) === 1n;
}

async function readSwap({ proc }: HostPaths) {
  const meminfo = (await readIfPresent(join(proc, 'meminfo'))) ?? '';
  const swappiness = (await readIfPresent(join(proc, 'sys/vm/swappiness'))) ?? '';
  const kibibytes = /^SwapTotal:\s+(\d+) kB$/m.exec(meminfo)?.[1] ?? '0';
  return {
    swapTotalBytes: Number.parseInt(kibibytes, 10) * 1024,
    swappiness: Number.parseInt(swappiness || '60', 10),
  };
}

// As the kernel cuts names to 15 characters in /proc/PID/comm (proc(5)).
const timeSyncPrograms = ['chronyd', 'ntpd', 'ntpsec', 'openntpd', 'systemd-timesyn'];

async function findTimeSync({ proc }: HostPaths): Promise<string> {
  const ids = (await readdir(proc)).filter((name) => /^\d+$/.test(name));
  const names = await Promise.all(
    ids.map(async (id) => (await readFile(join(proc, id, 'comm'), 'utf8').catch(() => '')).trim()),
  );
  return timeSyncPrograms.find((program) => names.includes(program)) ?? '';
}
