/**
 * What is kept on disk of a task that moves slots, so that a restarted agent finds it again, and what
 * a mover says of itself. Reading and writing the files belongs to `task-files.ts`.
 */
import type {
  ErrorCode,
  ErrorContext,
  MoveProgress,
  MoveReport,
  MoveSlotsStep,
} from '@redrover/core';

/** Written once, before anything is done. Holds no secret. */
export interface MoveTask {
  readonly format: 1;
  /** Chosen by the agent, new for each task. */
  readonly id: string;
  readonly cluster: string;
  readonly operationId: string;
  readonly createdAtMs: number;
  readonly step: MoveSlotsStep;
}

/**
 * How a task ended.
 *
 * - `done`: all slots are at the target, save those in quarantine.
 * - `stopped`: it was told to stop, or its lease lapsed; nothing of it is open any more.
 * - `failed`: it could not go on; whatever is open is in a state from which the next task goes on.
 */
export type MoveEnding = 'done' | 'stopped' | 'failed';

export interface MoveOutcome {
  readonly ending: MoveEnding;
  readonly report: MoveReport;
  /** Why it failed, or was stopped if that was not asked for; else undefined. */
  readonly error: MoveFailure | undefined;
}

/** A RedroverError as a file holds it. */
export interface MoveFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly context: ErrorContext;
}

/** A mover's word of how far it is; several times a second. */
export interface MoveStatus {
  readonly progress: MoveProgress;
  /** So far; what a step fails with if the mover dies. */
  readonly report: MoveReport;
}
