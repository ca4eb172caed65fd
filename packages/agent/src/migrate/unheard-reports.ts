/**
 * What tasks have done that ended while nobody heard of it: an agent was started again, or the controller was away. The
 * next command of the same operation tells it: one for the same pair and engine as its own, any other beside its own.
 */
import { stepKey, type Attempt } from '@redrover/core';
import { isSamePair } from './in-the-way.ts';
import type { MoveOutcome, MoveTask } from './move-task.ts';
import { addReports, sayOutcome } from './outcomes.ts';
import type { TaskFiles } from './task-files.ts';

interface Ended {
  readonly task: MoveTask;
  readonly outcome: MoveOutcome;
  readonly files: TaskFiles;
  readonly endedAtMs: number;
}

export class UnheardReports {
  readonly #ended = new Map<string, Ended>();

  /** A task has ended, now or while the last agent lived. */
  note(ended: Ended): void {
    this.#ended.set(ended.task.id, ended);
  }

  /** Its directory is gone. */
  forget(id: string): void {
    this.#ended.delete(id);
  }

  /** The outcome as a command of that operation hears it; nothing of it is told twice. */
  async tell(
    { id, step }: MoveTask,
    operationId: string,
    outcome: MoveOutcome,
  ): Promise<MoveOutcome> {
    const own = this.#ended.get(id);
    const earlier = this.#of(operationId).filter(
      ({ task }) =>
        task.id !== id && task.step.engine === step.engine && isSamePair(task.step, step),
    );
    await this.#markHeard(own === undefined ? earlier : [...earlier, own]);
    const reports = earlier.map((each) => each.outcome.report);
    return { ...outcome, report: addReports([...reports, outcome.report]) };
  }

  /** All of the operation, to be told beside something else. `isAwaited`: a command tells it itself. */
  async tellAll(operationId: string, isAwaited: (task: string) => boolean): Promise<Attempt[]> {
    const told = this.#of(operationId).filter(({ task }) => !isAwaited(task.id));
    await this.#markHeard(told);
    return told.map(({ task, outcome, endedAtMs }) => ({
      stepKey: stepKey(task.step),
      startedAtMs: task.createdAtMs,
      endedAtMs: Math.max(task.createdAtMs, endedAtMs),
      ...sayOutcome(outcome),
      move: outcome.report,
    }));
  }

  #of(operationId: string): Ended[] {
    return [...this.#ended.values()].filter(({ task }) => task.operationId === operationId);
  }

  /** Should the mark not get to the disk, a next agent tells it once more: better than never. */
  async #markHeard(told: readonly Ended[]): Promise<void> {
    for (const { task } of told) this.#ended.delete(task.id);
    await Promise.allSettled(told.map(({ files }) => files.writeHeard()));
  }
}
