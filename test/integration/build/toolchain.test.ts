// Hosts that lack what a compiler needs.
import { chown, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';

import { RedroverError } from '@redrover/core';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { repositoryRoot } from '../../support/paths.ts';
import { openWorkshop, type Workshop } from './build-host.ts';
import { builderCommand, type BuildOutcome } from './run-builder.ts';
import { makeTinySource, writeScript } from './tiny-source.ts';

const isRoot = process.getuid?.() === 0;
const nobody = 65_534;

let workshop: Workshop;
let programs: string;
beforeEach(async () => {
  workshop = await openWorkshop();
  programs = join(workshop.scratch.path, 'programs');
  await mkdir(programs);
});
afterEach(async () => {
  await workshop.scratch.remove();
});

/** Gives the host a program, under its own name. */
async function link(...names: string[]): Promise<void> {
  for (const name of names) {
    const { stdout } = await execa('sh', ['-c', `command -v ${name}`]);
    await symlink(stdout, join(programs, name));
  }
}

/** Builds without root, with the host's own programs alone on the path. */
async function buildUnprivileged(): Promise<BuildOutcome> {
  const { path } = workshop.scratch;
  // Of a time before C++ came in.
  const source = await makeTinySource(path, { version: '7.2.9' });
  const job = { rootDirectory: join(path, 'root'), cacheDirectory: join(path, 'cache'), ...source };
  for (const folder of [job.rootDirectory, job.cacheDirectory]) {
    await mkdir(folder);
    if (isRoot) await chown(folder, nobody, nobody);
  }
  const ids = ['--reuid', `${nobody}`, '--regid', `${nobody}`, '--clear-groups'];
  const drop = isRoot ? ['setpriv', ...ids] : [];
  const setPath = ['env', `PATH=${programs}`];
  const [command = '', ...args] = [...drop, ...setPath, ...builderCommand(job)];
  const { stdout } = await execa(command, args);
  return JSON.parse(stdout) as BuildOutcome;
}

const standIn = '#!/bin/sh\necho "cc (Stand-in) 12.2.0"\n';
const makePrograms = ['sh', 'make', 'cp', 'chmod', 'id'];

describe('without root', () => {
  test('a host without a compiler is told the one command to run', async () => {
    await writeScript(join(programs, 'apt-get'), '#!/bin/sh\nexit 0\n');
    const { error } = await buildUnprivileged();
    expect(error).toMatchObject({
      code: 'permission-denied',
      message: expect.stringContaining('run: sudo apt-get install -y gcc make libc6-dev'),
      context: { missing: 'cc make libcHeaders' },
    });
  });

  test('the command is that of the host: dnf', async () => {
    await link(...makePrograms);
    await writeScript(join(programs, 'dnf'), '#!/bin/sh\nexit 0\n');
    const { error } = await buildUnprivileged();
    expect(error?.message).toContain('run: sudo dnf install -y gcc glibc-devel');
  });

  test('a host without the headers of OpenSSL builds without TLS', async () => {
    await link(...makePrograms, 'grep');
    const cc = `${standIn}case "$*" in *-E*) ! grep -q openssl ;; esac\n`;
    await writeScript(join(programs, 'cc'), cc);
    const { build, error } = await buildUnprivileged();
    expect(error).toBeUndefined();
    expect(build?.provenance.flags).toEqual(['MALLOC=jemalloc', 'USE_SYSTEMD=no']);
    expect(build?.provenance.compiler).toBe('cc (Stand-in) 12.2.0');
  });
});

const canMount = !(await execa('unshare', ['--mount', 'true'], { reject: false })).failed;
const isSkipped = !isRoot || !canMount;
const reason = isSkipped ? ' (needs root: a mount namespace)' : '';

// $1 the repository, $2 the test's own folder, then the command. A copy of this machine on an
// overlay, from which make is taken away: what is installed there goes with it.
const withoutMake = `
set -e
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
for folder in /proc /sys /dev "$1" "$2"; do mount --rbind "$folder" "/mnt/root$folder"; done
shift 2
chroot /mnt/root dpkg --purge --force-depends make > /dev/null
exec chroot /mnt/root "$@"
`;

describe.skipIf(isSkipped)(`as root${reason}`, () => {
  test('what is missing is installed by the package manager', async (context) => {
    const host = await workshop.openHost('h1');
    const mirror = await host.builder.resolveApt('redis', '').catch((thrown: unknown) => thrown);
    if (mirror instanceof RedroverError && mirror.code === 'unavailable') {
      return context.skip(`no mirror: ${mirror.message}`);
    }
    // Anything else that it may have thrown is a defect, and shows here.
    expect(mirror).toMatchObject({ version: expect.any(String) });
    const { path } = workshop.scratch;
    const source = await makeTinySource(path);
    const directories = { rootDirectory: join(path, 'r'), cacheDirectory: join(path, 'c') };
    const command = builderCommand({ ...directories, buildUser: 'nobody', ...source });
    const mount = ['--mount', 'sh', '-c', withoutMake, 'sh', repositoryRoot, path];
    const { stdout, stderr } = await execa('unshare', mount.concat(command));
    expect(stderr).toContain('installing make with apt-get');
    expect((JSON.parse(stdout) as BuildOutcome).build?.release).toBe('redis-9.0.1');
  });
});
