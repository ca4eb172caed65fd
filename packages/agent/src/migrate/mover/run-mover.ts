/**
 * A mover as a process: finds its task, says who it is, obeys its orders, and writes down how far it is
 * and how it ended. Loads nothing that a mover does not need.
 */
import { existsSync } from 'node:fs';
import { RedroverError } from '@redrover/core';
import { ifUnlocked } from '../../build/machine-lock.ts';
import { readIfPresent } from '../../files/durable-file.ts';
import type { NodeRecord } from '../../nodes/node-record.ts';
import { identify } from '../../supervise/processes.ts';
import type { MoveOutcome } from '../move-task.ts';
import { TaskFiles } from '../task-files.ts';
import { MoveEngine } from './move-engine.ts';
import { obeyOrders } from './obey-orders.ts';

export interface MoverOptions {
  /** Directory of the task. */
  readonly task: string;
  /** The agent's record of the node on this host: it has the password, which is nowhere else. */
  readonly record: string;
}

const STATUS_EVERY_MS = 250;
/** A full disk gets this long to be given room; then the agent only sees that the mover is gone. */
const OUTCOME_TRIES = 60;
const OUTCOME_RETRY_MS = 1_000;

/** Until the task has ended. */
export async function runMover({ task: directory, record }: MoverOptions): Promise<void> {
  if (!existsSync(directory)) throw new RedroverError('not-found', `there is no task ${directory}`);
  const files = new TaskFiles(directory);
  const done = await ifUnlocked(files.lock, async () => {
    await moveByTask(files, record);
    return true;
  });
  if (done !== true) {
    throw new RedroverError('failed-precondition', `another mover is at work on ${directory}`);
  }
}

async function moveByTask(files: TaskFiles, recordPath: string): Promise<void> {
  const identity = identify(process.pid, Date.now());
  if (identity === undefined) throw new RedroverError('internal', 'this process is not in /proc');
  await files.writeProcess(identity);
  // After that: an agent that has given this mover up meanwhile has written its outcome before.
  if ((await files.readOutcome()) !== undefined) return;
  const task = await files.readTask();
  if (task === undefined) throw new RedroverError('not-found', `${files.directory} has no task`);
  const password = await readPassword(recordPath);
  const stop = new AbortController();
  const orders = obeyOrders(files, stop);
  const engine = new MoveEngine({ step: task.step, password, stop: stop.signal });
  const status = setInterval(() => {
    // On a full disk people see an old status; the slots move on.
    files.writeStatus(engine.status).catch(() => {});
  }, STATUS_EVERY_MS);
  try {
    const outcome = await engine.run();
    await files.writeStatus(engine.status).catch(() => {});
    await writeOutcome(files, explainStop(outcome, stop.signal));
  } finally {
    clearInterval(status);
    orders.end();
  }
}

/** A lapsed lease is a reason of its own: nobody asked for the stop. */
function explainStop(outcome: MoveOutcome, stop: AbortSignal): MoveOutcome {
  if (outcome.ending !== 'stopped' || !(stop.reason instanceof RedroverError)) return outcome;
  const { code, message, context } = stop.reason;
  return { ...outcome, error: { code, message, context } };
}

async function writeOutcome(files: TaskFiles, outcome: MoveOutcome): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await files.writeOutcome(outcome);
      return;
    } catch (thrown) {
      if (tries >= OUTCOME_TRIES) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, OUTCOME_RETRY_MS));
    }
  }
}

/** As the running server wants it, which may differ from what the next start would. */
async function readPassword(path: string): Promise<string> {
  const text = await readIfPresent(path);
  if (text === undefined) throw new RedroverError('not-found', `there is no record ${path}`);
  const record = JSON.parse(text) as NodeRecord;
  return record.process?.reachedAt?.password ?? record.password;
}
