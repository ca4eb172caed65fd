/** Cleans up after trials of configs (`preflight.ts`) whose agent was killed meanwhile. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { errnoOf, fileError } from '../files/durable-file.ts';
import { findProcessesBelow } from '../supervise/processes.ts';

const KILL_TIMEOUT_MS = 5_000;
const POLL_MS = 20;

/** Ends the trial servers that a killed agent left running, and removes their files. */
export async function endLeftTrials(scratch: string): Promise<void> {
  const deadline = performance.now() + KILL_TIMEOUT_MS;
  try {
    const names = await readdir(scratch);
    let left = findProcessesBelow(scratch);
    while (left.length > 0 && performance.now() < deadline) {
      for (const pid of left) kill(pid);
      await delay(POLL_MS);
      left = findProcessesBelow(scratch);
    }
    for (const name of names) await rm(join(scratch, name), { recursive: true, force: true });
  } catch (thrown) {
    // Nothing was ever tried here.
    if (errnoOf(thrown) === 'ENOENT') return;
    throw fileError(thrown, `removing what is left in ${scratch}`);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Ended by itself just now; one that may not be killed is seen by its staying.
  }
}
