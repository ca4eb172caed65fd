/** How phases follow each other, and how several steps of one node are tried as one. */
import type { Finding } from '../../model/finding.ts';
import type { Step } from '../../model/step.ts';
import { tryStep, type TryOptions } from '../attempts.ts';
import type { Situation } from '../situation.ts';
import { IDLE, mergeTurns, type Turn } from '../turn.ts';

export type Phase = () => Turn;

/**
 * The first phase that has something to do or to wait for. What a person must do about one node
 * holds up no other node: such blockers are kept until nothing else is left.
 */
export function inOrder(phases: readonly Phase[]): Turn {
  const held: Finding[] = [];
  for (const phase of phases) {
    const turn = phase();
    if (isBusy(turn)) return { ...turn, blockers: [] };
    held.push(...turn.blockers);
  }
  return { ...IDLE, blockers: held };
}

export function isBusy({ steps, waits }: Turn): boolean {
  return steps.length + waits.length > 0;
}

/** Steps of one node that follow each other: all of them, or why the first that may not is due. */
export function tryChain(
  situation: Situation,
  steps: readonly Step[],
  options: Omit<TryOptions, 'now'>,
): Turn {
  const turns = steps.map((step) =>
    tryStep(situation.attempts, step, { ...options, now: situation.now }),
  );
  return turns.find(hasBlocker) ?? turns.find(isWait) ?? mergeTurns(turns);
}

function hasBlocker(turn: Turn): boolean {
  return turn.blockers.length > 0;
}

function isWait(turn: Turn): boolean {
  return turn.waits.length > 0;
}
