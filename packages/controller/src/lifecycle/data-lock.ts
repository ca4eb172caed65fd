/**
 * One controller for each data directory: a lock file that names its holder by boot, pid and
 * start time, so that neither a recycled pid nor a reboot is taken for a living holder.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { RedroverError } from '@redrover/core';

/** Two starters may race for a stale lock; the loser looks again. More rounds would be a defect. */
const MAX_ROUNDS = 10;

export interface DataLock {
  release(): void;
}

/** @throws RedroverError `failed-precondition` naming the pid while another process holds it. */
export function lockDataDirectory(directory: string): DataLock {
  const path = join(directory, 'lock');
  const own = describeProcess(process.pid) ?? `${process.pid}`;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    if (tryLock(path, own)) return { release: () => releaseLock(path, own) };
    const holder = readHolder(path);
    if (holder === undefined) continue;
    const pid = Number(holder.split(' ')[0]);
    if (describeProcess(pid) === holder) {
      throw new RedroverError(
        'failed-precondition',
        `another redrover-controller (pid ${pid}) uses ${directory}; ` +
          'stop it first, or give this one another --data directory',
        { context: { pid: String(pid), directory } },
      );
    }
    dropStale(path, holder);
  }
  throw new RedroverError('unavailable', `cannot take the lock ${path}; try again`);
}

/** A lock is never seen without its owner: the finished file is linked into place. */
function tryLock(path: string, own: string): boolean {
  const mine = `${path}.${process.pid}`;
  writeFileSync(mine, own, { mode: 0o600 });
  try {
    linkSync(mine, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(mine, { force: true });
  }
}

function readHolder(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Moved aside rather than removed, so that of several starters only one drops this very lock. */
function dropStale(path: string, holder: string): void {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
    if (readFileSync(aside, 'utf8') !== holder) linkSync(aside, path);
  } catch (error) {
    // Another starter was quicker, with dropping it or with taking it again.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function releaseLock(path: string, own: string): void {
  if (readHolder(path) === own) rmSync(path, { force: true });
}

/** `pid start-time boot-id`; undefined if there is no such process. */
function describeProcess(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Field 22 (proc_pid_stat(5)), counted after the command name, which may contain spaces.
    const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${pid} ${startTime} ${bootId}`;
  } catch {
    // No such process: whatever the reason, nobody of this description is alive.
    return undefined;
  }
}
