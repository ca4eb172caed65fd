/** What a host is made of. Readings only; tuning is `tuning/`'s business, liveness the session's. */
import { readFile, statfs } from 'node:fs/promises';
import { availableParallelism, hostname, machine, networkInterfaces, release } from 'node:os';
import { dirname, join } from 'node:path';

import { execa } from 'execa';
import { RedroverError, type HostFacts } from '@redrover/core';

import { readCompiler } from '../build/toolchain.ts';
import { errnoOf, fileError, readIfPresent } from '../files/durable-file.ts';
import { hostPaths, type HostPaths } from './host-paths.ts';

export interface FactsOptions {
  /** The agent's root; its nearest existing parent counts when it is not there yet. */
  readonly rootDirectory: string;
  readonly agentVersion: string;
  readonly paths?: HostPaths;
}

export async function readHostFacts(options: FactsOptions): Promise<HostFacts> {
  const paths = options.paths ?? hostPaths();
  const [memory, disk, osRelease, libc, compiler] = await Promise.all([
    readMemoryBytes(paths),
    readDisk(options.rootDirectory),
    readOsRelease(paths),
    readLibc(),
    readCompiler(),
  ]);
  const os = `${osRelease.id} ${osRelease.version}`.trim();
  const arch = machine();
  return {
    hostname: hostname(),
    cores: availableParallelism(),
    memoryBytes: memory,
    diskTotalBytes: disk.totalBytes,
    diskFreeBytes: disk.freeBytes,
    kernel: release(),
    os,
    arch,
    libc,
    compiler,
    addresses: listAddresses(),
    platform: describePlatform({ arch, libc, os }),
    root: process.getuid?.() === 0,
    agentVersion: options.agentVersion,
    rootDirectory: options.rootDirectory,
  };
}

/**
 * Hosts of one platform run each other's builds: `linux-x86_64-glibc2.36-debian12`. The
 * distribution is part of it because a build links to its OpenSSL.
 */
export function describePlatform(host: {
  readonly arch: string;
  readonly libc: string;
  readonly os: string;
}): string {
  const parts = ['linux', host.arch, host.libc, host.os].map((part) =>
    part.toLowerCase().replaceAll(/[^a-z0-9._]+/g, ''),
  );
  return parts.filter((part) => part !== '').join('-');
}

/** What the agent may use: less than the machine has, when a cgroup says so. */
export async function readMemoryBytes(paths: HostPaths): Promise<number> {
  const text = await readFile(join(paths.proc, 'meminfo'), 'utf8').catch((thrown: unknown) => {
    throw fileError(thrown, 'reading the memory of the host');
  });
  const kibibytes = /^MemTotal:\s+(\d+) kB$/m.exec(text)?.[1];
  if (kibibytes === undefined) {
    throw new RedroverError('internal', `${paths.proc}/meminfo does not say MemTotal`);
  }
  const total = Number.parseInt(kibibytes, 10) * 1024;
  const limit = process.constrainedMemory();
  return limit > 0 && limit < total ? limit : total;
}

interface Disk {
  readonly totalBytes: number;
  /** Free to unprivileged users: nodes are such. */
  readonly freeBytes: number;
}

export async function readDisk(directory: string): Promise<Disk> {
  try {
    const { blocks, bavail, bsize } = await statfs(directory);
    return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
  } catch (thrown) {
    const parent = dirname(directory);
    if (errnoOf(thrown) === 'ENOENT' && parent !== directory) return readDisk(parent);
    throw fileError(thrown, `reading the size of the disk under ${directory}`);
  }
}

async function readOsRelease(paths: HostPaths): Promise<{ id: string; version: string }> {
  const text =
    (await readIfPresent(join(paths.etc, 'os-release'))) ??
    (await readIfPresent(join(paths.usr, 'lib/os-release'))) ??
    '';
  return { id: osReleaseField(text, 'ID'), version: osReleaseField(text, 'VERSION_ID') };
}

/** os-release(5): shell assignments, quoted or not. */
export function osReleaseField(text: string, name: string): string {
  return new RegExp(`^${name}=["']?([^"'\\n]*)["']?$`, 'm').exec(text)?.[1] ?? '';
}

/** `glibc 2.36` from getconf, `musl 1.2.4` from ldd, which musl's way of saying its version is. */
async function readLibc(): Promise<string> {
  const glibc = await execa('getconf', ['GNU_LIBC_VERSION'], { reject: false });
  if (glibc.exitCode === 0 && glibc.stdout.startsWith('glibc')) return glibc.stdout.trim();
  const ldd = await execa('ldd', ['--version'], { reject: false, all: true });
  const version = /musl libc[\s\S]*?Version (\S+)/.exec(ldd.all ?? '')?.[1];
  return version === undefined ? 'unknown' : `musl ${version}`;
}

/** Without link-local IPv6 addresses, which mean nothing without an interface. */
function listAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, scopeid }) => family === 'IPv4' || (scopeid ?? 0) === 0)
    .map(({ address }) => address);
}
