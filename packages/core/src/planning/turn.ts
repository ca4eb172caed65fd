/** What one phase of the planner contributes to a turn, and how contributions are put together. */
import type { Finding } from '../model/finding.ts';
import type { Waiting } from '../model/operation.ts';
import type { Step } from '../model/step.ts';

export interface Turn {
  readonly steps: readonly Step[];
  readonly waits: readonly Waiting[];
  readonly blockers: readonly Finding[];
}

/** Nothing to do, nothing to wait for. */
export const IDLE: Turn = { steps: [], waits: [], blockers: [] };

export function stepping(...steps: readonly Step[]): Turn {
  return { ...IDLE, steps };
}

export function waiting(subject: string, reason: string): Turn {
  return { ...IDLE, waits: [{ subject, reason }] };
}

/** Everything that a blocker says, besides that it is critical. */
export type BlockerText = Pick<Finding, 'rule' | 'subject' | 'message' | 'remedy'> & {
  readonly evidence?: readonly string[];
};

export function blocking(text: BlockerText): Turn {
  return { ...IDLE, blockers: [{ severity: 'critical', evidence: [], ...text }] };
}

/** Keeps the order of the turns, and within each that of its steps. */
export function mergeTurns(turns: readonly Turn[]): Turn {
  return {
    steps: turns.flatMap((turn) => turn.steps),
    waits: turns.flatMap((turn) => turn.waits),
    blockers: turns.flatMap((turn) => turn.blockers),
  };
}

/** Whether the phase is over: nothing to do, to wait for or in the way. */
export function isIdle(turn: Turn): boolean {
  return turn.steps.length + turn.waits.length + turn.blockers.length === 0;
}
