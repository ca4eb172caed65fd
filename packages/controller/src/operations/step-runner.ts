/**
 * Executes the steps of one operation: each lane one after another, lanes beside each other, every
 * attempt in the journal and told to those who watch. What is to be done is the loop's to say.
 */
import {
  RedroverError,
  stepKey,
  type ErrorCode,
  type Layout,
  type MoveProgress,
  type MoveReport,
  type OperationKind,
  type Step,
} from '@redrover/core';
import { moveProgressFromProto } from '@redrover/wire';
import type { CommandProgress } from '@redrover/proto';

import type { Agents } from '../agents/agents.ts';
import { moveOfFailure } from '../agents/command-failure.ts';
import type { Observations } from '../agents/observations.ts';
import { executeStep, preconditionsOf, type StepDone } from './execute-step.ts';
import type { Journal, Outcome } from './journal.ts';
import { groupByLane } from './lanes.ts';
import type { OperationEvent, OperationFeed } from './operation-feed.ts';
import type { SilentFailures } from './silent-failures.ts';

export interface StepRunnerOptions {
  readonly agents: Agents;
  readonly observations: Observations;
  readonly incarnation: number;
  readonly operation: { readonly id: string; readonly kind: OperationKind };
  readonly layout: Layout;
  /** Of the cluster. */
  readonly password: string;
  readonly journal: Journal;
  readonly feed: OperationFeed;
  readonly silence: SilentFailures;
  /** A step has ended, or its lane is free again. */
  readonly onEnd: (step: Step | undefined) => void;
  /** Slots were moved, by a step that has ended in whatever way. */
  readonly onMoved: (report: MoveReport) => void;
}

/** Steps of a turn follow each other in their lanes only while this stays true. */
export type MayGoOn = () => boolean;

interface Running {
  readonly step: Step;
  readonly abort: AbortController;
  /** What a move said first, and last. */
  firstMove: MoveProgress | undefined;
  move: MoveProgress | undefined;
}

export class StepRunner {
  readonly #options: StepRunnerOptions;
  /** Lanes with steps under way, or about to be. */
  readonly #lanes = new Set<string>();
  readonly #running = new Map<string, Running>();
  #isStopping = false;

  constructor(options: StepRunnerOptions) {
    this.#options = options;
  }

  /** Whether nothing is under way. */
  get isIdle(): boolean {
    return this.#lanes.size === 0;
  }

  /** Whether nothing is under way that ends soon: slots may be on their way for hours. */
  get isOnlyMoving(): boolean {
    const moves = [...this.#running.values()].filter(({ step }) => step.kind === 'moveSlots');
    return moves.length === this.#lanes.size;
  }

  /** What those who begin to watch have missed of what is under way. */
  get progress(): OperationEvent[] {
    return [...this.#running].flatMap(([key, { move }]) =>
      move === undefined ? [] : [moveEvent(key, move)],
    );
  }

  /** Steps of lanes that are taken are not begun; they are planned again. */
  launch(steps: readonly Step[], mayGoOn: MayGoOn): void {
    const heard = steps.filter(({ host }) => this.#options.silence.isHeard(host));
    for (const [lane, queue] of groupByLane(heard)) {
      if (this.#lanes.has(lane)) continue;
      this.#lanes.add(lane);
      void this.#runLane(lane, queue, mayGoOn);
    }
  }

  /** Slots stop moving at once; the agents bring to an end what is half open. */
  abortMoves(): void {
    for (const { step, abort } of this.#running.values()) {
      if (step.kind === 'moveSlots') abort.abort();
    }
  }

  /** All but what brings a cluster back to where it may be left alone. */
  abort(): void {
    for (const { step, abort } of this.#running.values()) {
      if (step.kind !== 'stopMoves' && step.kind !== 'setTiming') abort.abort();
    }
  }

  /** The controller stops: what becomes of the steps under way is seen at the next start. */
  leave(): void {
    this.#isStopping = true;
  }

  async #runLane(lane: string, steps: readonly Step[], mayGoOn: MayGoOn): Promise<void> {
    try {
      for (const step of steps) {
        // What was planned for another state of the operation is not begun any more.
        if (this.#isStopping || !mayGoOn() || !(await this.#run(step))) break;
      }
    } finally {
      this.#lanes.delete(lane);
      this.#options.onEnd(undefined);
    }
  }

  /** @returns whether the next step of the lane may follow. */
  async #run(step: Step): Promise<boolean> {
    const { journal, silence, onEnd, onMoved } = this.#options;
    const key = stepKey(step);
    const position = journal.begin(key);
    this.#publishAttempt(position);
    const abort = new AbortController();
    const running: Running = { step, abort, firstMove: undefined, move: undefined };
    this.#running.set(key, running);
    const { earlierMoves = [], ...outcome } = await this.#execute(running);
    this.#running.delete(key);
    // The session was closed by ourselves: what became of the step is seen at the next start.
    if (this.#isStopping) return false;
    const { errorCode: code } = outcome;
    if (code !== undefined) silence.note(position, step, { code, gotOn: gotOn(running, outcome) });
    journal.end(position, outcome);
    this.#publishAttempt(position);
    if (outcome.move !== undefined) onMoved(outcome.move);
    for (const attempt of earlierMoves) {
      this.#publishAttempt(journal.add(attempt));
      if (attempt.move !== undefined) onMoved(attempt.move);
    }
    onEnd(step);
    return code === undefined;
  }

  async #execute({ step, abort }: Running): Promise<Outcome & Partial<StepDone>> {
    try {
      const done = await this.#command(step, abort.signal);
      const isCutShort = step.kind === 'moveSlots' && abort.signal.aborted;
      return { errorCode: isCutShort ? 'cancelled' : undefined, ...done };
    } catch (error) {
      const { code, message }: { code: ErrorCode; message: string } = RedroverError.from(error);
      return { errorCode: code, message, move: moveOfFailure(error) };
    }
  }

  #command(step: Step, signal: AbortSignal) {
    const { agents, observations, incarnation, operation, layout, password } = this.#options;
    const node = 'node' in step ? observations.find(step.node) : undefined;
    return executeStep(agents, step, {
      fence: {
        incarnation,
        cluster: layout.cluster,
        operationId: operation.id,
        layoutNumber: layout.number,
      },
      password,
      preconditions: preconditionsOf(step, node, operation.kind),
      onProgress: (progress) => this.#noteProgress(stepKey(step), progress),
      signal,
    });
  }

  #noteProgress(key: string, { line, fraction, move }: CommandProgress): void {
    const { feed } = this.#options;
    if (move === undefined) {
      feed.publish({ kind: 'progress', stepKey: key, line, fraction, move: undefined });
      return;
    }
    const progress = moveProgressFromProto(move);
    const running = this.#running.get(key);
    if (running !== undefined) {
      running.firstMove ??= progress;
      running.move = progress;
    }
    feed.publish(moveEvent(key, progress));
  }

  #publishAttempt(position: number): void {
    const { feed, journal } = this.#options;
    feed.publish({ kind: 'attempt', attempt: journal.at(position) });
  }
}

function moveEvent(key: string, move: MoveProgress): OperationEvent {
  const fraction = move.slotsTotal === 0 ? undefined : move.slotsDone / move.slotsTotal;
  return { kind: 'progress', stepKey: key, line: move.state, fraction, move };
}

/** Whether slots were moved, as far as is known: a mover goes on while its agent is silent. */
function gotOn({ firstMove, move: seen }: Running, { move: reported }: Outcome): boolean {
  const seenMoved = (seen?.slotsDone ?? 0) - (firstMove?.slotsDone ?? 0);
  return (reported?.slotsMoved ?? 0) > 0 || seenMoved > 0;
}
