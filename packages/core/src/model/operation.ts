/** Operations, their journal, and what a turn of the planner says. */
import type { ErrorCode } from '../errors.ts';
import type { Finding } from './finding.ts';
import type { MoveOptions, MoveReport } from './migration.ts';
import type { Step } from './step.ts';

/**
 * What an operation is for. All are only different next layouts: `create` and `change` make a new one real, `repair`
 * the one in force, `remove` an empty one.
 */
export type OperationKind = 'create' | 'change' | 'repair' | 'remove';

/** `needs-decision`: all is done but what a person must decide; the message says what, the attempts why. */
export type OperationState =
  | 'running'
  | 'paused'
  | 'done'
  | 'failed'
  | 'cancelled'
  | 'needs-decision';

export interface Operation {
  readonly id: string;
  readonly cluster: string;
  readonly kind: OperationKind;
  readonly layoutNumber: number;
  readonly state: OperationState;
  readonly createdAtMs: number;
  readonly endedAtMs: number | undefined;
  /** Why it failed or was cancelled, and what to do next; empty otherwise. */
  readonly message: string;
  /** `remove` only: delete the data instead of keeping it in the trash folder. */
  readonly purge: boolean;
  /** What a person asked for, for example `drain host h2`; empty where the kind says it all. */
  readonly reason: string;
  /** Begun by Redrover itself, as the spec's `repair: auto` allows. */
  readonly automatic: boolean;
  /** How slots are moved, where any are. */
  readonly move: MoveOptions;
}

/** One attempt at one step. */
export interface Attempt {
  readonly stepKey: string;
  readonly startedAtMs: number;
  /** Undefined while it is under way, or when the controller died meanwhile. */
  readonly endedAtMs: number | undefined;
  readonly outcome: 'running' | 'ok' | 'failed';
  readonly errorCode: ErrorCode | undefined;
  /** One line for people; empty on success without anything to say. */
  readonly message: string;
  /** Of a `moveSlots` that ended, also of one that failed half way; else undefined. */
  readonly move: MoveReport | undefined;
}

/** The journal as the planner reads it, oldest first. Losing it may slow an operation down, never endanger data. */
export type History = readonly Attempt[];

/** Expected waiting: a value that people can see, not an error. */
export interface Waiting {
  /** A node key, host or cluster. */
  readonly subject: string;
  /** For example `replica syncing, link not up yet`. */
  readonly reason: string;
}

/** One turn of the planner. */
export interface NextSteps {
  /** Ready to be executed now. Those of one node follow each other in this order (see `planSteps`). */
  readonly steps: readonly Step[];
  readonly waits: readonly Waiting[];
  /** Why the operation cannot go on without a person; it fails when there is one and no step is under way. */
  readonly blockers: readonly Finding[];
  /**
   * What a person must decide (quarantined slots, say) while everything else goes on. With these, and nothing else
   * left, `done` is true and the operation ends as `needs-decision`.
   */
  readonly decisions: readonly Finding[];
  /** Nothing is left to do: the layout is real and verified. */
  readonly done: boolean;
}
