/**
 * The tasks that move slots on this host: which may begin, which are at work, and what becomes of those
 * that were at work when the agent ended. How slots are moved is a driver's business.
 */
import { randomUUID } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  RedroverError,
  type Attempt,
  type Fence,
  type MoveEngine,
  type MoveReport,
  type MoverObservation,
  type MoveSlotsStep,
} from '@redrover/core';
import type { Logger } from 'pino';
import { ensureDirectory } from '../files/durable-file.ts';
import type { NodeRegistry } from '../supervise/node-registry.ts';
import { SerialQueue } from '../supervise/serial-queue.ts';
import { isInTheWay, isSamePair } from './in-the-way.ts';
import { leaseFor } from './lease.ts';
import { LEASE_MS, LivingMove } from './living-move.ts';
import type { MoveDriver } from './move-driver.ts';
import { reportOf } from './move-error.ts';
import type { MoveOutcome, MoveStatus, MoveTask } from './move-task.ts';
import { COMPILE_CACHE } from './process-driver.ts';
import { TaskFiles, type MoveOrders } from './task-files.ts';
import { UnheardReports } from './unheard-reports.ts';

export interface MoveDeskOptions {
  /** One directory per task. */
  readonly directory: string;
  readonly nodes: NodeRegistry;
  readonly drivers: Readonly<Partial<Record<MoveEngine, MoveDriver>>>;
  /** Whether the controller is heard: only then leases are renewed. */
  readonly isConnected: () => boolean;
  readonly now: () => number;
  readonly log: Logger;
}

export interface MoveRun {
  readonly signal: AbortSignal;
  readonly onStatus: (status: MoveStatus) => void;
  /** Whether somebody is there to hear of the end. */
  readonly isAwaited: () => boolean;
}

/** Given as the reason of an abort when the agent itself ends: its movers go on. */
export const AGENT_ENDS = new RedroverError('unavailable', 'the agent ends');

/** For those who want to know what happened; a task's files are some kilobytes. */
const MAX_ENDED_TASKS = 16;

export class MoveDesk {
  readonly #options: MoveDeskOptions;
  readonly #living = new Set<LivingMove>();
  readonly #queue = new SerialQueue();
  readonly #unheard = new UnheardReports();
  /** Of tasks, by those who wait for their ends. */
  readonly #runs = new Map<MoveRun, string>();
  #resumed: Promise<void> = Promise.resolve();

  constructor(options: MoveDeskOptions) {
    this.#options = options;
  }

  /** Takes over what was at work when the last agent ended. */
  resume(): Promise<void> {
    this.#resumed = this.#load();
    return this.#resumed;
  }

  list(): MoverObservation[] {
    return [...this.#living].map((move) => move.observe());
  }

  /**
   * Moves the slots, or waits for the task that does so already.
   *
   * @throws MoveError with the report so far; RedroverError when nothing was begun.
   */
  async move(step: MoveSlotsStep, fence: Fence, run: MoveRun): Promise<MoveReport> {
    requirePair(step);
    await this.#resumed;
    const { signal } = run;
    const move = await this.#attach(step, fence, signal);
    const unwatch = move.watch(run.onStatus);
    const agentEnds = Promise.withResolvers<never>();
    const end = (): void => {
      if (signal.reason === AGENT_ENDS) agentEnds.reject(AGENT_ENDS);
      else void move.stop();
    };
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
    this.#runs.set(run, move.task.id);
    try {
      const outcome = await Promise.race([move.outcome, agentEnds.promise]);
      if (!run.isAwaited()) return reportOf(outcome);
      return reportOf(await this.#unheard.tell(move.task, fence.operationId, outcome));
    } finally {
      this.#runs.delete(run);
      signal.removeEventListener('abort', end);
      unwatch();
    }
  }

  /** What movers of the operation have done that nobody has heard of. */
  async tellUnheard(operationId: string): Promise<Attempt[]> {
    await this.#resumed;
    const awaited = [...this.#runs].filter(([run]) => run.isAwaited()).map(([, task]) => task);
    return this.#unheard.tellAll(operationId, (task) => awaited.includes(task));
  }

  /** Tells all movers of a cluster to stop, and waits until they have. Answers how many there were. */
  async stopAll(cluster: string, signal: AbortSignal): Promise<number> {
    await this.#resumed;
    const moves = [...this.#living].filter(({ task }) => task.cluster === cluster);
    await Promise.all(moves.map((move) => move.stop()));
    const given = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(RedroverError.from(signal.reason)));
    });
    given.catch(() => {});
    await Promise.race([Promise.all(moves.map(({ outcome }) => outcome)), given]);
    return moves.length;
  }

  /** The agent ends: nothing is stopped. */
  detach(): void {
    for (const move of this.#living) move.detach();
  }

  /** The living task of the pair, or a new one. */
  async #attach(step: MoveSlotsStep, fence: Fence, signal: AbortSignal): Promise<LivingMove> {
    for (;;) {
      signal.throwIfAborted();
      // In turn: two commands for one pair must not both find none.
      const move = await this.#queue.run(async () => this.#find(step) ?? this.#begin(step, fence));
      if (!move.isStopping) return move;
      // What it has half open is closed first; then a new task goes on from there.
      await move.outcome;
    }
  }

  /** @throws RedroverError `unavailable` while another task is in the way. */
  #find(pair: MoveSlotsStep): LivingMove | undefined {
    for (const move of this.#living) {
      const { step, id } = move.task;
      if (isSamePair(step, pair) && step.engine === pair.engine) return move;
      if (!isInTheWay(step, pair)) continue;
      const { source, target } = pair;
      throw new RedroverError(
        'unavailable',
        `cannot move slots from ${source.node} to ${target.node} while mover ${id} moves some from ` +
          `${step.source.node} to ${step.target.node} (${step.engine}): a node is source or target, ` +
          'never both; wait until it has ended, or cancel it',
      );
    }
    return undefined;
  }

  async #begin(step: MoveSlotsStep, fence: Fence): Promise<LivingMove> {
    const { directory, now, nodes } = this.#options;
    // Before anything is written: a node that this host does not have has no password either.
    nodes.get(step.node);
    this.#driverOf(step.engine);
    const task: MoveTask = {
      format: 1,
      id: randomUUID(),
      cluster: fence.cluster,
      operationId: fence.operationId,
      createdAtMs: now(),
      step,
    };
    const files = new TaskFiles(join(directory, task.id));
    const orders = { lease: leaseFor(LEASE_MS), stop: false };
    await ensureDirectory(files.directory, { mode: 0o700 });
    await files.writeOrders(orders);
    // Last: a directory without a task is nothing.
    await files.writeTask(task);
    return this.#live(task, files, { orders, isResumed: false, memo: '' });
  }

  #live(task: MoveTask, files: TaskFiles, known: KnownOfTask): LivingMove {
    const { nodes, isConnected, now, log } = this.#options;
    const { record } = nodes.get(task.step.node);
    const move = new LivingMove({
      task,
      files,
      driver: this.#driverOf(task.step.engine),
      password: record.process?.reachedAt?.password ?? record.password,
      isResumed: known.isResumed,
      lease: known.orders.lease,
      isStopping: known.orders.stop,
      memo: known.memo,
      isConnected,
      now,
      log,
    });
    this.#living.add(move);
    log.info({ mover: task.id, ...pairOf(task), resumed: known.isResumed }, 'a mover is at work');
    move.outcome
      .then((outcome) => {
        this.#unheard.note({ task, outcome, files, endedAtMs: now() });
        return this.#end(move, outcome);
      })
      // Only when the agent ends: the task is the next agent's.
      .catch(() => this.#living.delete(move));
    return move;
  }

  async #end(move: LivingMove, { ending, report, error }: MoveOutcome): Promise<void> {
    const { task } = move;
    const { log } = this.#options;
    this.#living.delete(move);
    const { slotsMoved, keysMoved } = report;
    const reason = error?.message;
    log.info(
      { mover: task.id, ...pairOf(task), ending, slotsMoved, keysMoved, reason },
      'a mover has ended',
    );
    await this.#cleanUp().catch((thrown: unknown) => {
      log.warn({ err: thrown }, 'directories of ended movers could not be removed');
    });
  }

  async #load(): Promise<void> {
    const { directory, log } = this.#options;
    await ensureDirectory(directory, { mode: 0o700 });
    for (const name of await readdir(directory)) {
      const files = new TaskFiles(join(directory, name));
      try {
        await this.#takeOver(files);
      } catch (thrown) {
        // One that cannot be taken over must not keep the agent from the others.
        log.error(
          { err: thrown, directory: files.directory },
          'a task of a mover cannot be taken over',
        );
      }
    }
    await this.#cleanUp();
  }

  async #takeOver(files: TaskFiles): Promise<void> {
    const task = await files.readTask();
    if (task?.format !== 1) return;
    const outcome = await files.readOutcome();
    if (outcome !== undefined) {
      const { mtimeMs: endedAtMs } = await stat(files.directory);
      if (!(await files.isHeard())) this.#unheard.note({ task, outcome, files, endedAtMs });
      return;
    }
    const orders = (await files.readOrders()) ?? { lease: leaseFor(0), stop: true };
    this.#live(task, files, { orders, isResumed: true, memo: (await files.readMemo()) ?? '' });
  }

  /** Removes the oldest directories of tasks that are not at work. */
  async #cleanUp(): Promise<void> {
    const { directory } = this.#options;
    const living = new Set([...this.#living].map(({ task }) => task.id));
    const names = (await readdir(directory)).filter((name) => name !== COMPILE_CACHE);
    const ended = names.filter((name) => !living.has(name));
    if (ended.length <= MAX_ENDED_TASKS) return;
    const ages = await Promise.all(
      ended.map(async (name) => ({ name, at: (await stat(join(directory, name))).mtimeMs })),
    );
    const oldest = ages.toSorted((a, b) => a.at - b.at).slice(0, -MAX_ENDED_TASKS);
    for (const { name } of oldest) {
      this.#unheard.forget(name);
      await rm(join(directory, name), { recursive: true, force: true });
    }
  }

  #driverOf(engine: MoveEngine): MoveDriver {
    const driver = this.#options.drivers[engine];
    if (driver !== undefined) return driver;
    throw new RedroverError('invalid-argument', `this agent does not have the engine ${engine}`);
  }
}

function requirePair({ source, target }: MoveSlotsStep): void {
  if (source.node !== target.node && source.nodeId !== target.nodeId) return;
  throw new RedroverError(
    'invalid-argument',
    `slots cannot be moved from ${source.node} to itself`,
  );
}

interface KnownOfTask {
  readonly orders: MoveOrders;
  readonly isResumed: boolean;
  readonly memo: string;
}

function pairOf({ step }: MoveTask) {
  return { source: step.source.node, target: step.target.node, engine: step.engine };
}
