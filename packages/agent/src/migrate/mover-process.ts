/**
 * Whether the process of a task lives, and how it is ended. It holds the lock of its task as long as it
 * lives, which the kernel takes from it however it ends; its pid counts only with its start time.
 */
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { ifUnlocked } from '../build/machine-lock.ts';
import type { ProcessIdentity } from '../nodes/node-record.ts';
import { isAlive } from '../supervise/processes.ts';
import type { TaskFiles } from './task-files.ts';

const POLL_MS = 50;
/** A kernel needs no longer, save for a process that waits for a dead disk. */
const SIGKILL_MS = 5_000;

/**
 * Does the work while no mover can be at work on the task, nor begin meanwhile.
 *
 * @returns undefined when one lives.
 */
export function withoutMover<T>(files: TaskFiles, work: () => Promise<T>): Promise<T | undefined> {
  return ifUnlocked(files.lock, work);
}

/** Whether a mover is at work on the task. */
export async function hasMover(files: TaskFiles): Promise<boolean> {
  if (!existsSync(files.lock)) return false;
  return (await withoutMover(files, () => Promise.resolve(true))) !== true;
}

/** Never signals anybody else who has got the pid since. */
export function signalMover(identity: ProcessIdentity | undefined, signal: NodeJS.Signals): void {
  if (identity === undefined || !isAlive(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch {
    // Gone between the look and the signal.
  }
}

/**
 * SIGTERM, on which a mover closes what it has open; SIGKILL when that takes too long, from which the next
 * one recovers. Answers whether it is gone.
 */
export async function endMover(files: TaskFiles, patienceMs: number): Promise<boolean> {
  for (const [signal, deadlineMs] of [
    ['SIGTERM', patienceMs],
    ['SIGKILL', SIGKILL_MS],
  ] as const) {
    const sinceTick = performance.now();
    let told: number | undefined;
    for (;;) {
      if (!(await hasMover(files))) return true;
      // It says who it is only after it has got the lock.
      const identity = await files.readProcess();
      if (identity !== undefined && told !== identity.pid) {
        told = identity.pid;
        signalMover(identity, signal);
      }
      if (performance.now() - sinceTick >= deadlineMs) break;
      await delay(POLL_MS);
    }
  }
  return false;
}
