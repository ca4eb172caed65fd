/** What is known of an operation while it is watched: events in, a picture out. Pure. */
import type { Attempt, Operation, Waiting } from '@redrover/core';

export type OperationEvent =
  | { readonly kind: 'operation'; readonly operation: Operation }
  | { readonly kind: 'attempt'; readonly attempt: Attempt }
  | { readonly kind: 'waits'; readonly waits: readonly Waiting[] }
  | {
      readonly kind: 'progress';
      readonly stepKey: string;
      readonly line: string;
      readonly fraction: number | undefined;
    };

export interface StepDetail {
  readonly line: string;
  readonly fraction: number | undefined;
}

export interface OperationProgress {
  readonly operation: Operation;
  /** The newest attempt at each step, by step key, in the order in which steps began. */
  readonly attempts: ReadonlyMap<string, Attempt>;
  readonly waits: readonly Waiting[];
  readonly details: ReadonlyMap<string, StepDetail>;
  /** Steps that the plan foresaw; undefined when only the operation is known. */
  readonly foreseenSteps: number | undefined;
}

export function startProgress(
  operation: Operation,
  foreseenSteps: number | undefined,
): OperationProgress {
  return { operation, attempts: new Map(), waits: [], details: new Map(), foreseenSteps };
}

/** The same event twice changes nothing: after a lost connection everything is told again. */
export function applyEvent(progress: OperationProgress, event: OperationEvent): OperationProgress {
  switch (event.kind) {
    case 'operation':
      return { ...progress, operation: event.operation };
    case 'attempt': {
      const before = progress.attempts.get(event.attempt.stepKey);
      if (before !== undefined && before.startedAtMs > event.attempt.startedAtMs) return progress;
      const attempts = new Map(progress.attempts).set(event.attempt.stepKey, event.attempt);
      return { ...progress, attempts };
    }
    case 'waits':
      return { ...progress, waits: event.waits };
    case 'progress': {
      const { line, fraction } = event;
      const details = new Map(progress.details).set(event.stepKey, { line, fraction });
      return { ...progress, details };
    }
  }
}

export function runningAttempts({ attempts }: OperationProgress): Attempt[] {
  return [...attempts.values()].filter(({ outcome }) => outcome === 'running');
}

export function countDone({ attempts }: OperationProgress): number {
  return [...attempts.values()].filter(({ outcome }) => outcome === 'ok').length;
}

export function hasEnded({ operation }: OperationProgress): boolean {
  return (
    operation.state === 'done' || operation.state === 'failed' || operation.state === 'cancelled'
  );
}
