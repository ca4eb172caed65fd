/** How an operation ends, by what the planner says of it last, and what people are told then. */
import type { Attempt, MoverObservation, NextSteps, OperationState } from '@redrover/core';

import { explainBlockers } from './explain-blockers.ts';
import { describeMoved, sumMoved } from './moved-slots.ts';

export interface OperationEnd {
  readonly state: OperationState;
  readonly message: string;
}

export interface EndFacts {
  readonly isBlocked: boolean;
  readonly attempts: readonly Attempt[];
  /** Said of one that has moved slots and is done. */
  readonly keyTotals?: string;
}

/** Of one that nobody has cancelled, while no step is under way; undefined: it goes on. */
export function judgeEnd(
  { done, blockers, decisions }: NextSteps,
  { isBlocked, attempts, keyTotals = '' }: EndFacts,
): OperationEnd | undefined {
  const hasMoved = sumMoved(attempts).slots > 0;
  if (done && decisions.length === 0) return { state: 'done', message: hasMoved ? keyTotals : '' };
  if (done) return { state: 'needs-decision', message: explainBlockers(decisions) };
  if (!isBlocked) return undefined;
  const reasons = explainBlockers([...blockers, ...decisions]);
  const lines = [reasons, describeMoved(attempts)].filter((line) => line !== '');
  return { state: 'failed', message: lines.join('\n') };
}

export interface CancelledOperation {
  readonly cluster: string;
  /** What was said when it was cancelled. */
  readonly message: string;
  /** That have nodes of the cluster. */
  readonly hosts: readonly {
    readonly name: string;
    readonly movers: readonly MoverObservation[];
  }[];
  readonly attempts: readonly Attempt[];
}

export function explainCancelled(operation: CancelledOperation): string {
  const { cluster, message, hosts, attempts } = operation;
  const atWork = hosts.filter(({ movers }) => movers.some((mover) => mover.cluster === cluster));
  const left = atWork.map(
    ({ name }) =>
      `${name} could not be told to stop moving slots; it does so within ten minutes, when its ` +
      'lease ends',
  );
  return [message, describeMoved(attempts), ...left].filter((part) => part !== '').join('; ');
}
