/** Names a process so that a recycled pid is not taken for it, and ends it. Linux only (/proc). */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot (field 22 of /proc/PID/stat, proc(5)). */
  readonly startTicks: string;
}

const POLL_MS = 20;

/** Undefined when there is no such process, or only its zombie. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    // It ended, perhaps between two looks: the same answer as for one that never was.
    return undefined;
  }
  // Counted after the command name, which may itself contain spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTicks] = [fields[0], fields[19]];
  if (state === 'Z' || state === 'X' || startTicks === undefined) return undefined;
  return { pid, startTicks };
}

export function isRunning(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.startTicks === identity.startTicks;
}

export interface EndOptions {
  readonly signal?: NodeJS.Signals;
  /** How long it may take to obey before it is killed. */
  readonly graceMs: number;
}

/** Ends the process if it is still the same; resolves when it is gone. */
export async function endProcess(identity: ProcessIdentity, options: EndOptions): Promise<void> {
  sendSignal(identity, options.signal ?? 'SIGTERM');
  if (await waitForEnd(identity, options.graceMs)) return;
  sendSignal(identity, 'SIGKILL');
  await waitForEnd(identity, options.graceMs);
}

export function sendSignal(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isRunning(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch (error) {
    // It ended between the look and the signal.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Whether it ended within the time. */
export async function waitForEnd(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + timeoutMs;
  while (isRunning(identity)) {
    if (performance.now() > deadlineMs) return false;
    await delay(POLL_MS);
  }
  return true;
}
