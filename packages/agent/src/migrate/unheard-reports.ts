/**
 * What tasks have done that ended while no command waited for them: an agent was started again, or the
 * controller was away. The next command of the same operation for the same pair and engine tells it.
 */
import type { MoveReport } from '@redrover/core';
import { isSamePair } from './in-the-way.ts';
import type { MoveOutcome, MoveTask } from './move-task.ts';
import { addReports } from './outcomes.ts';
import type { TaskFiles } from './task-files.ts';

interface Ended {
  readonly task: MoveTask;
  readonly report: MoveReport;
  readonly files: TaskFiles;
}

export class UnheardReports {
  readonly #ended = new Map<string, Ended>();

  /** A task has ended, now or while the last agent lived. */
  note(task: MoveTask, { report }: MoveOutcome, files: TaskFiles): void {
    this.#ended.set(task.id, { task, report, files });
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
    const earlier = [...this.#ended.values()].filter(
      ({ task }) =>
        task.id !== id &&
        task.operationId === operationId &&
        task.step.engine === step.engine &&
        isSamePair(task.step, step),
    );
    const told = own === undefined ? earlier : [...earlier, own];
    for (const { task } of told) this.#ended.delete(task.id);
    // Should that fail, a next agent tells it once more: better than never.
    await Promise.allSettled(told.map(({ files }) => files.writeHeard()));
    return {
      ...outcome,
      report: addReports([...earlier.map((each) => each.report), outcome.report]),
    };
  }
}
