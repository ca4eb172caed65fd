/**
 * Plays an operation through in the model, for the preview that people approve.
 *
 * It shows what happens if nothing goes wrong; the operation itself plans anew each turn.
 */
import type { Finding } from '../model/finding.ts';
import type { Attempt, Waiting } from '../model/operation.ts';
import { stepKey, type Step } from '../model/step.ts';
import { planSteps } from './plan-steps.ts';
import { settle } from './settle.ts';
import { applyRound } from './simulate.ts';
import type { PlanInput } from './situation.ts';

/** Steps of one round may run at once; the next round needs them. */
export interface Forecast {
  /** Empty if nothing would change (a write that only verifies is no change). */
  readonly rounds: readonly (readonly Step[])[];
  /** What the forecast could not go past, if it did not get to the end. */
  readonly waits: readonly Waiting[];
  readonly blockers: readonly Finding[];
  /** What is left to a person in the end. */
  readonly decisions: readonly Finding[];
  /** Whether the operation gets to its end by these rounds. */
  readonly complete: boolean;
}

/** A creation takes ten rounds, and a new shard beside a hundred others fifty; more do not end. */
const ROUND_LIMIT = 200;
/** Longer than the delay before a step that succeeded is due again; a real round is quicker. */
const ROUND_MS = 1500;

export type ForecastInput = Omit<PlanInput, 'history'>;

/** Stops after each round: one of a thousand nodes takes some 100 ms, in which nobody else is heard. */
export function* forecastRounds(input: ForecastInput): Generator<void, Forecast, void> {
  const { layout } = input;
  const rounds: Step[][] = [];
  const history: Attempt[] = [];
  let { observation, now } = input;
  for (let round = 0; round < ROUND_LIMIT; round += 1) {
    const next = planSteps({ ...input, observation, history, now });
    const { waits, blockers, decisions } = next;
    const end = { waits, blockers, decisions };
    if (next.done) return { rounds: withoutIdleProof(rounds), ...end, complete: true };
    if (next.steps.length === 0 || blockers.length > 0) return { rounds, ...end, complete: false };
    rounds.push([...next.steps]);
    for (const step of next.steps) history.push(succeededAt(step, now));
    observation = settle(applyRound(observation, next.steps, layout));
    now += ROUND_MS;
    yield;
  }
  return { rounds, waits: [], blockers: [], decisions: [], complete: false };
}

function withoutIdleProof(rounds: Step[][]): Step[][] {
  const changes = rounds.flat().some((step) => step.kind !== 'verifyWrite');
  return changes ? rounds : [];
}

function succeededAt(step: Step, now: number): Attempt {
  return {
    stepKey: stepKey(step),
    startedAtMs: now,
    endedAtMs: now,
    outcome: 'ok',
    errorCode: undefined,
    message: '',
    move: undefined,
  };
}
