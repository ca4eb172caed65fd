/** Scenes of a fourth shard that is about to get its slots, for tests of what is planned while slots move. */
import type { MoverObservation, MoveReport } from '../../model/migration.ts';
import type { Attempt } from '../../model/operation.ts';
import type { MoveSlotsStep, Step } from '../../model/step.ts';
import { forecastSteps } from './forecast-steps.ts';
import { planSteps } from '../plan-steps.ts';
import { settle } from '../settle.ts';
import { applyRound } from '../simulate.ts';
import type { PlanInput } from '../situation.ts';
import { visiblePart } from './drift.ts';
import {
  attemptOf,
  layoutOf,
  NOW,
  runningCluster,
  withHost,
  withRedis,
  withViewEntry,
} from './examples.ts';
import { beginChange, nextLayout, withKeys } from './next-layout.ts';

export { blockersOf, waitsOf } from './plan-lines.ts';

/** s4 is new: on h4:6380 and h1:6380. Slots go h1:6379 > h2:6380 > h3:6380 > h4:6380. */
const three = layoutOf({ hosts: 4, shards: 3, replicas: 1 });
export const four = nextLayout(three, { hosts: 4, shards: 4, replicas: 1 });
export const begun = beginChange(settle(withKeys(runningCluster(three).observation)), three, four);
/** All nodes are there and in sync, and the first slots are about to move. */
export const ready = playTo(begun, (step) => step.kind === 'moveSlots');

export function playTo(input: PlanInput, until: (step: Step) => boolean): PlanInput {
  let { observation } = input;
  for (const steps of forecastSteps(input).rounds) {
    if (steps.some(until)) break;
    observation = settle(applyRound(observation, steps, input.layout));
  }
  return { ...input, observation };
}

/** Goes on until nothing is left that can be done. */
export function playOut(input: PlanInput): PlanInput {
  let current = input;
  for (let turn = 0; turn < 20; turn += 1) {
    const { steps } = planSteps(current);
    const observation = visiblePart(settle(applyRound(current.observation, steps, current.layout)));
    const made = steps.map((step) => attemptOf(step, { endedAtMs: current.now }));
    const history = [...current.history, ...made];
    current = { ...current, observation, history, now: current.now + 9000 };
  }
  return current;
}

export function movesOf(input: PlanInput): MoveSlotsStep[] {
  return planSteps(input).steps.filter((step) => step.kind === 'moveSlots');
}

export function pairsOf(input: PlanInput): string[] {
  return movesOf(input).map(({ source, target }) => `${source.node}>${target.node}`);
}

export function stepsOf(input: PlanInput): string[] {
  return planSteps(input).steps.map(
    (step) => `${step.kind} ${'node' in step ? step.node : 'plan' in step ? '' : step.host}`,
  );
}

export function moverFrom(source: string, target: string, change: Partial<MoverObservation> = {}) {
  const mover: MoverObservation = {
    id: `${source} ${target}`,
    cluster: 'shop',
    engine: 'migrate',
    source,
    target,
    slots: [{ start: 4096, end: 5461 }],
    state: 'running',
    leaseUntilMs: NOW + 600_000,
    ...change,
  };
  return mover;
}

export function withMover(input: PlanInput, mover: MoverObservation, host?: string): PlanInput {
  return withHost(input, host ?? mover.source.split(':')[0] ?? '', { movers: [mover] });
}

export const idOf = (input: PlanInput, key: string) =>
  input.observation.nodes[key]?.redis?.nodeId ?? '';

/** The slot is MIGRATING on one and IMPORTING on the other, for so long. */
export function withOpen(
  input: PlanInput,
  slot: number,
  {
    from,
    to,
    quietMs = 0,
  }: { readonly from: string; readonly to: string; readonly quietMs?: number },
): PlanInput {
  const migrating = [{ slot, nodeId: idOf(input, to) }];
  const importing = [{ slot, nodeId: idOf(input, from) }];
  const left = withViewEntry(input, { holder: from, about: from }, { migrating });
  const both = withViewEntry(left, { holder: to, about: to }, { importing });
  const quiet = { openSlotsQuietMs: quietMs };
  return withRedis(withRedis(both, from, quiet), to, quiet);
}

export const REPORT: MoveReport = {
  engine: 'migrate',
  slotsMoved: 0,
  keysMoved: 0,
  bytesMoved: 0,
  blockedMs: 0,
  quarantined: [],
  notes: [],
};

export function failed(step: Step, change: Partial<Attempt> = {}): Attempt {
  return attemptOf(step, {
    outcome: 'failed',
    errorCode: 'unavailable',
    message: 'lost',
    endedAtMs: NOW - 60_000,
    ...change,
  });
}
