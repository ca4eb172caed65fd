/** A cluster that runs, and what may befall it: for tests of what is planned to bring it back. */
import type { Observation } from '../../model/observation.ts';
import { settle } from '../settle.ts';
import type { PlanInput } from '../situation.ts';
import { strike, visiblePart, type Misfortune } from './drift.ts';
import { layoutOf, NOW, playUntil, runningCluster, withHost } from './examples.ts';

/** s1 is on h1:6379 and h2:6379, s2 on h2:6380 and h3:6379, s3 on h3:6380 and h4:6379. */
export const layout = layoutOf({ hosts: 4, shards: 3, replicas: 1 });
export const running: PlanInput = { ...runningCluster(layout), kind: 'repair' };

export function seeing(observation: Observation, change: Partial<PlanInput> = {}): PlanInput {
  return { ...running, ...change, observation: visiblePart(settle(observation)) };
}

export function struck(key: string, misfortune: Misfortune): PlanInput {
  return seeing(strike(running.observation, key, misfortune));
}

export function lost(name: string, from = running): PlanInput {
  const { observation } = withHost(from, name, { status: 'lost', lastSeenMs: NOW - 90_000 });
  return { ...from, observation: settle(observation) };
}

/** The world at the end of the operation, or when a step of that kind is due. */
export function lastOf(input: PlanInput, until?: string): PlanInput {
  return playUntil(input, (steps) => steps.some((step) => step.kind === until));
}
