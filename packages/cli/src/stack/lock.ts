/** One at a time: a lock file that names its holder, so that a crashed one does not hold it for ever. */
import { RedroverError } from '@redrover/core';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { identifyProcess, isRunning } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';

// Whoever holds it may be stopping a crashed playground's nodes, each with a deadline of its own.
const LOCK_WAIT_MS = 120_000;
const POLL_MS = 50;

/** Errors: `deadline-exceeded` when another process does not let go of it. */
export async function withLock<T>(path: string, action: () => Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + LOCK_WAIT_MS;
  while (!tryLock(path)) {
    dropStale(path);
    if (performance.now() > deadlineMs) {
      throw new RedroverError('deadline-exceeded', `another process holds ${path}; try again`);
    }
    await delay(POLL_MS);
  }
  try {
    return await action();
  } finally {
    rmSync(path, { force: true });
  }
}

/** Links a finished file into place: the lock is never seen without its holder. */
function tryLock(path: string): boolean {
  const mine = `${path}.${process.pid}`;
  writeFileSync(mine, JSON.stringify(identifyProcess(process.pid)));
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

function dropStale(path: string): void {
  const text = readIfThere(path);
  if (text === undefined || isRunning(JSON.parse(text) as ProcessIdentity)) return;
  // Moved aside rather than removed: of several waiters only one gets to drop this very lock.
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  // Between the look and the move somebody else may have taken it: give it back.
  if (readFileSync(aside, 'utf8') !== text) linkSync(aside, path);
  rmSync(aside, { force: true });
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
