/**
 * One agent of a machine at a time: at a build, or at the private apt. The lock is the kernel's, held
 * through SQLite: it goes with the process that holds it, however that ends, and works across pid
 * namespaces, where a process id in a file would say nothing. What is done under the lock is the
 * caller's business.
 */
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

import { RedroverError } from '@redrover/core';

export interface LockOptions {
  /** A file that is used for nothing else; its directory exists. */
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
  /** Called once when somebody else holds the lock. */
  readonly onWait?: (() => void) | undefined;
}

// What is waited for takes seconds (apt) or minutes (a build).
const retryMs = 200;
// SQLite's SQLITE_BUSY ("Result and Error Codes").
const busyCode = 5;

/** Waits for the lock, runs the work, gives the lock back. */
export async function withMachineLock<T>(options: LockOptions, work: () => Promise<T>): Promise<T> {
  const database = openLock(options.path);
  try {
    let waiting = false;
    while (!tryLock(database, options.path)) {
      if (!waiting) options.onWait?.();
      waiting = true;
      await pause(options.signal);
    }
    return await work();
  } finally {
    database.close();
  }
}

/** Runs the work if nobody holds the lock; undefined when somebody does. */
export async function ifUnlocked<T>(path: string, work: () => Promise<T>): Promise<T | undefined> {
  const database = openLock(path);
  try {
    return tryLock(database, path) ? await work() : undefined;
  } finally {
    database.close();
  }
}

function openLock(path: string): DatabaseSync {
  try {
    // timeout 0: waiting inside SQLite would stop the whole agent.
    return new DatabaseSync(path, { timeout: 0 });
  } catch (cause) {
    throw lockError(path, cause);
  }
}

/** Nothing is ever written: an exclusive transaction on the empty file is the lock. */
function tryLock(database: DatabaseSync, path: string): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (thrown) {
    if (thrown instanceof Error && 'errcode' in thrown && thrown.errcode === busyCode) return false;
    throw lockError(path, thrown);
  }
}

function lockError(path: string, cause: unknown): RedroverError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new RedroverError(
    'failed-precondition',
    `the lock ${path} cannot be used (${detail}); may the agent write there?`,
    { cause },
  );
}

async function pause(signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(retryMs, undefined, signal === undefined ? {} : { signal });
  } catch (cause) {
    throw new RedroverError(
      'cancelled',
      'waiting for another agent of this machine was stopped on request',
      {
        cause,
      },
    );
  }
}
