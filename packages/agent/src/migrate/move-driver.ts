/**
 * What an engine that moves slots looks like to the desk (`move-desk.ts`): one call a task, which
 * ends when the task has. Whether a task may begin, its lease, its files, and who hears of its
 * progress are the desk's business; how slots get from one node to the other is the driver's.
 *
 * - `migrate` is driven by `process-driver.ts`, which starts a process of its own for each task, or
 *   finds it again, and reads its status.
 * - `redis-atomic` and `valkey-atomic` are driven by the agent itself (`atomic/`): the servers do
 *   the work.
 *
 * A driver never throws because of the cluster's state: that is an outcome. `run` is called for a new
 * task and, after a restart of the agent, again for the same one (`isResumed`): then the driver first
 * finds out what became of it.
 */
import type { MoveOutcome, MoveStatus, MoveTask } from './move-task.ts';

export interface MoveDriver {
  run(task: MoveTask, controls: MoveControls): Promise<MoveOutcome>;
}

export interface MoveControls {
  /** The task was under way when the agent ended; it may have ended meanwhile. */
  readonly isResumed: boolean;
  /**
   * Aborted when the task shall stop: by a person, by another plan, or because its lease lapsed. The
   * driver then leaves nothing open, and answers `stopped`, or `done` if nothing was left to do.
   */
  readonly stop: AbortSignal;
  /**
   * Aborted when the agent ends: the driver leaves everything as it is and rejects at once. The next
   * agent calls `run` again.
   */
  readonly detach: AbortSignal;
  /** Of the cluster, for connections to any node of the task. */
  readonly password: string;
  /** Puts the order to stop on disk, for a driver that gives the task up; `stop` is aborted then. */
  readonly orderStop: () => Promise<void>;
  /** For those who watch: as often as it is worth it, up to a few times a second. */
  readonly publish: (status: MoveStatus) => void;
  /**
   * A few bytes of the driver's own that survive the agent, such as the server's id of the task; empty
   * until they are written. `writeMemo` resolves when they are on disk.
   */
  readonly readMemo: () => string;
  readonly writeMemo: (memo: string) => Promise<void>;
}
