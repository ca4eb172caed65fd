/** What is known of an operation while it is watched: events in, a picture out. Pure. */
import type { Attempt, MoveProgress, Operation, OperationState, Waiting } from '@redrover/core';

export type OperationEvent =
  | { readonly kind: 'operation'; readonly operation: Operation }
  | { readonly kind: 'attempt'; readonly attempt: Attempt }
  | { readonly kind: 'waits'; readonly waits: readonly Waiting[] }
  | {
      readonly kind: 'progress';
      readonly stepKey: string;
      readonly line: string;
      readonly fraction: number | undefined;
      /** Of a `moveSlots`. */
      readonly move: MoveProgress | undefined;
    };

export interface StepDetail {
  readonly line: string;
  readonly fraction: number | undefined;
  readonly move: PairProgress | undefined;
}

/** Of a pair of masters whose slots are on their way. */
export interface PairProgress {
  readonly now: MoveProgress;
  /** Since it is watched; the mover tells only of its last seconds. */
  readonly longestBlockedMs: number;
}

export interface OperationProgress {
  readonly operation: Operation;
  /** The newest attempt at each step, by step key, in the order in which steps began. */
  readonly attempts: ReadonlyMap<string, Attempt>;
  /** All attempts at moving slots, by step key and start: what each of them moved adds up. */
  readonly moves: ReadonlyMap<string, Attempt>;
  readonly waits: readonly Waiting[];
  readonly details: ReadonlyMap<string, StepDetail>;
  /** Steps that the plan foresaw; undefined when only the operation is known. */
  readonly foreseenSteps: number | undefined;
}

export function startProgress(
  operation: Operation,
  foreseenSteps: number | undefined,
): OperationProgress {
  const empty = { attempts: new Map(), moves: new Map(), waits: [], details: new Map() };
  return { operation, ...empty, foreseenSteps };
}

/** The same event twice changes nothing: after a lost connection everything is told again. */
export function applyEvent(progress: OperationProgress, event: OperationEvent): OperationProgress {
  switch (event.kind) {
    case 'operation':
      return { ...progress, operation: event.operation };
    case 'attempt': {
      const moves = addMove(progress.moves, event.attempt);
      const before = progress.attempts.get(event.attempt.stepKey);
      if (before !== undefined && before.startedAtMs > event.attempt.startedAtMs) {
        return { ...progress, moves };
      }
      const attempts = new Map(progress.attempts).set(event.attempt.stepKey, event.attempt);
      return { ...progress, attempts, moves };
    }
    case 'waits':
      return { ...progress, waits: event.waits };
    case 'progress': {
      const { line, fraction, stepKey } = event;
      const move = addPairProgress(progress.details.get(stepKey)?.move, event.move);
      const details = new Map(progress.details).set(stepKey, { line, fraction, move });
      return { ...progress, details };
    }
  }
}

/** The controller sums old attempts up in one, which then stands for all within its time. */
function addMove(
  moves: ReadonlyMap<string, Attempt>,
  attempt: Attempt,
): ReadonlyMap<string, Attempt> {
  const { stepKey, startedAtMs, endedAtMs = startedAtMs } = attempt;
  if (!stepKey.startsWith('moveSlots ')) return moves;
  const others = [...moves].filter(
    ([, each]) =>
      each.stepKey !== stepKey || each.startedAtMs < startedAtMs || each.startedAtMs > endedAtMs,
  );
  return new Map([...others, [`${stepKey} ${startedAtMs}`, attempt]]);
}

function addPairProgress(
  before: PairProgress | undefined,
  now: MoveProgress | undefined,
): PairProgress | undefined {
  if (now === undefined) return before;
  return { now, longestBlockedMs: Math.max(before?.longestBlockedMs ?? 0, now.blockedMs) };
}

export function runningAttempts({ attempts }: OperationProgress): Attempt[] {
  return [...attempts.values()].filter(({ outcome }) => outcome === 'running');
}

export function countDone({ attempts }: OperationProgress): number {
  return [...attempts.values()].filter(({ outcome }) => outcome === 'ok').length;
}

const UNDER_WAY: ReadonlySet<OperationState> = new Set<OperationState>(['running', 'paused']);

export function hasEnded({ operation }: OperationProgress): boolean {
  return !UNDER_WAY.has(operation.state);
}
