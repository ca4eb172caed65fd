/**
 * The `migrate` engine as the agent sees it: a process of its own for each task, started detached, found
 * again by its identity after a restart of the agent, and read through its files. What the process does
 * is in `mover/`.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { RedroverError, type NodeKey } from '@redrover/core';
import { fileError } from '../files/durable-file.ts';
import { readTail } from '../supervise/exit-reason.ts';
import { isAlive } from '../supervise/processes.ts';
import { isInTheWay } from './in-the-way.ts';
import { endMover, hasMover, signalMover, withoutMover } from './mover-process.ts';
import type { MoveControls, MoveDriver } from './move-driver.ts';
import type { MoveOutcome, MoveStatus, MoveTask } from './move-task.ts';
import { failedOutcome } from './outcomes.ts';
import { TaskFiles } from './task-files.ts';

export interface ProcessDriverOptions {
  /** One directory per task. */
  readonly directory: string;
  /** A program and its script, which run the mover; without its arguments. */
  readonly command: readonly string[];
  /** Record of the node whose password the mover reads by itself. */
  readonly recordOf: (node: NodeKey) => string;
  /** For a mover to say who it is; default 20 000. */
  readonly startTimeoutMs?: number;
}

/** The status is written four times a second; an end should be known sooner. */
const POLL_MS = 50;
/** Of one whose end is told by the kernel. */
const OWN_POLL_MS = 100;
/** To close a window; whatever a killed one leaves open, the next one finishes. */
const END_PATIENCE_MS = 20_000;

interface Abandoned {
  readonly files: TaskFiles;
  readonly last: MoveStatus | undefined;
  readonly controls: MoveControls;
}

/** Node and its bundle are up in 0.2 s; a machine that swaps takes a while. */
const START_TIMEOUT_MS = 20_000;

/**
 * V8 takes what memory it finds: a mover needs little, as key names pass through it without becoming
 * values. Unlike the agent it is busy, so code is optimized.
 */
const NODE_FLAGS = ['--max-semi-space-size=8', '--max-old-space-size=256'];

/** Beside the tasks: with it a mover is up in half the time, as most of the bundle is never compiled. */
export const COMPILE_CACHE = 'compile-cache';

export class ProcessDriver implements MoveDriver {
  readonly #options: ProcessDriverOptions;
  /** Of the movers that this agent has started itself. */
  readonly #exits = new Map<string, Promise<void>>();

  constructor(options: ProcessDriverOptions) {
    this.#options = options;
  }

  async run(task: MoveTask, controls: MoveControls): Promise<MoveOutcome> {
    const files = new TaskFiles(join(this.#options.directory, task.id));
    if (!controls.isResumed) {
      await this.#requireAlone(task);
      await this.#start(task, files);
    }
    try {
      return await this.#follow(task, files, controls);
    } finally {
      this.#exits.delete(task.id);
    }
  }

  /**
   * One that was given up may live on.
   *
   * @throws RedroverError `unavailable` while it does; it is told to end once more.
   */
  async #requireAlone({ id, step }: MoveTask): Promise<void> {
    const { directory } = this.#options;
    for (const name of await readdir(directory)) {
      if (name === id || name === COMPILE_CACHE) continue;
      const files = new TaskFiles(join(directory, name));
      // One that has written its outcome is done with the nodes.
      if ((await files.readOutcome()) !== undefined) continue;
      const other = (await files.readTask())?.step;
      // Only then: asking for the lock could keep one from its start that is not in the way.
      if (other === undefined || !isInTheWay(other, step) || !(await hasMover(files))) continue;
      const identity = await files.readProcess();
      signalMover(identity, 'SIGTERM');
      throw new RedroverError(
        'unavailable',
        `mover ${name} (pid ${identity?.pid ?? 'unknown'}) was given up and is still alive, so none is ` +
          `started from ${step.source.node} to ${step.target.node} beside it; it was told to end: ` +
          'look at that process if it does not',
        { context: { mover: name } },
      );
    }
  }

  async #start(task: MoveTask, files: TaskFiles): Promise<void> {
    const { command, directory } = this.#options;
    const [program = '', ...script] = command;
    const missing = script.find((path) => !existsSync(path));
    if (missing !== undefined) {
      throw new RedroverError(
        'failed-precondition',
        `${missing} is missing: it belongs beside redrover-agent.mjs; put it there and try again`,
      );
    }
    const own = ['--task', files.directory, '--record', this.#options.recordOf(task.step.node)];
    const log = await open(files.log, 'a', 0o600).catch((thrown: unknown) => {
      throw fileError(thrown, `opening ${files.log}`);
    });
    try {
      const child = spawn(program, [...NODE_FLAGS, ...script, ...own], {
        cwd: files.directory,
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
        env: moverEnvironment(join(directory, COMPILE_CACHE)),
      });
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', (error) => reject(fileError(error, 'starting a mover')));
      });
      const exit = new Promise<void>((resolve) => void child.once('exit', () => resolve()));
      this.#exits.set(task.id, exit);
      child.unref();
    } finally {
      await log.close();
    }
  }

  /** Until the mover has written its outcome, or is gone without one. */
  async #follow(task: MoveTask, files: TaskFiles, controls: MoveControls): Promise<MoveOutcome> {
    const { stop, detach, publish } = controls;
    const { startTimeoutMs = START_TIMEOUT_MS } = this.#options;
    const since = performance.now();
    let last: MoveStatus | undefined;
    let isTold = false;
    for (;;) {
      detach.throwIfAborted();
      // Before the files: what a process wrote last, it wrote before it ended.
      const identity = await files.readProcess();
      const isUp = identity !== undefined && isAlive(identity);
      const status = await files.readStatus();
      if (status !== undefined && !same(status, last)) {
        publish(status);
        last = status;
      }
      const outcome = await files.readOutcome();
      if (outcome !== undefined) return outcome;
      const mayStart = identity === undefined && performance.now() - since < startTimeoutMs;
      if (!isUp && !mayStart) return this.#giveUp(task, { files, last, controls });
      if (stop.aborted && isUp && !isTold) {
        isTold = true;
        // Sooner than it would look at its orders.
        signalMover(identity, 'SIGTERM');
      }
      await this.#untilNextLook(task, detach);
    }
  }

  /** The end of a mover of this agent's own is seen at once. */
  async #untilNextLook({ id }: MoveTask, detach: AbortSignal): Promise<void> {
    const exit = this.#exits.get(id);
    const isOver = new AbortController();
    const signal = AbortSignal.any([detach, isOver.signal]);
    const poll = delay(exit === undefined ? POLL_MS : OWN_POLL_MS, undefined, { signal });
    const end = exit?.then(() => void this.#exits.delete(id));
    await Promise.race([poll, ...(end === undefined ? [] : [end])]).catch(() => {});
    isOver.abort();
  }

  /**
   * The outcome is written while no mover holds its lock: one that starts all the same, later than anybody
   * would think, finds it and ends. One that is at work, and only hangs, is ended first.
   */
  async #giveUp(task: MoveTask, { files, last, controls }: Abandoned): Promise<MoveOutcome> {
    const write = () => this.#writeGone(task, files, last);
    const gone = await withoutMover(files, write);
    if (gone !== undefined) return gone;
    await controls.orderStop();
    await endMover(files, END_PATIENCE_MS);
    const ended = (await files.readOutcome()) ?? (await withoutMover(files, write));
    if (ended !== undefined) return ended;
    const { pid = 'unknown' } = (await files.readProcess()) ?? {};
    const message = `the mover (pid ${pid}) says nothing and cannot be killed: it hangs in the kernel`;
    return failedOutcome(task, new RedroverError('unavailable', message), last?.report);
  }

  async #writeGone(
    task: MoveTask,
    files: TaskFiles,
    last: MoveStatus | undefined,
  ): Promise<MoveOutcome> {
    // What it wrote at last, it may have written just now.
    const own = await files.readOutcome();
    if (own !== undefined) return own;
    const outcome = failedOutcome(task, await this.#goneError(files), last?.report);
    await files.writeOutcome(outcome);
    return outcome;
  }

  async #goneError(files: TaskFiles): Promise<RedroverError> {
    const words = (await readTail(files.log).catch(() => '')).trim().split('\n').at(-1) ?? '';
    return new RedroverError(
      'unavailable',
      `the mover ended before its slots were moved${words === '' ? '' : `: ${words}`}`,
      { context: { log: files.log } },
    );
  }
}

function same(a: MoveStatus, b: MoveStatus | undefined): boolean {
  return a === b || (b !== undefined && JSON.stringify(a) === JSON.stringify(b));
}

/** Nothing of the agent's environment, tokens least of all, reaches a mover. */
function moverEnvironment(compileCache: string): Record<string, string> {
  const { PATH, TZ } = process.env;
  return {
    PATH: PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C',
    MALLOC_ARENA_MAX: '1',
    NODE_COMPILE_CACHE: compileCache,
    ...(TZ === undefined ? {} : { TZ }),
  };
}
