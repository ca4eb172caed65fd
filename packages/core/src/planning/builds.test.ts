import { describe, expect, it } from 'vitest';
import type { Attempt } from '../model/operation.ts';
import type { Step } from '../model/step.ts';
import { planSteps } from './plan-steps.ts';
import type { PlanInput } from './situation.ts';
import {
  attemptOf,
  bareHosts,
  factsOf,
  inputOf,
  layoutOf,
  NOW,
  release,
  withHost,
} from './testing/examples.ts';

const layout = layoutOf({ hosts: 3, shards: 3, replicas: 1 });
const bare = inputOf(layout, bareHosts(layout));
const { platform } = factsOf(1);
const build = { id: 'b1', release: release.name };
const shared = { ...build, platform };

function stepsOf(input: PlanInput): string[] {
  return planSteps(input).steps.map((step) => `${step.kind} ${step.host}`);
}

function failed(step: Step, count: number): Attempt[] {
  const attempt = attemptOf(step, { outcome: 'failed', errorCode: 'build-failed', message: 'ld' });
  return Array.from({ length: count }, () => attempt);
}

function later(input: PlanInput, history: readonly Attempt[]): PlanInput {
  return { ...input, history, now: NOW + 20_000 };
}

describe('builds', () => {
  it('are compiled on the host with the most cores', () => {
    expect(stepsOf(withHost(bare, 'h2', { facts: factsOf(8) }))).toEqual(['buildRelease h2']);
  });

  it('are compiled on the first of equal hosts, turn after turn', () => {
    expect(stepsOf(bare)).toEqual(['buildRelease h1']);
    expect(stepsOf(later(bare, []))).toEqual(['buildRelease h1']);
  });

  it('are compiled once for each platform', () => {
    const other = withHost(bare, 'h3', { facts: factsOf(2, 'linux-aarch64') });
    expect(stepsOf(other)).toEqual(['buildRelease h1', 'buildRelease h3']);
  });

  it('are fetched where the controller holds one for the platform', () => {
    const input = { ...bare, observation: { ...bare.observation, sharedBuilds: [shared] } };
    expect(stepsOf(input)).toEqual(['fetchBuild h1', 'fetchBuild h2', 'fetchBuild h3']);
  });

  it('are compiled by a host that could not fetch twice', () => {
    const input = { ...bare, observation: { ...bare.observation, sharedBuilds: [shared] } };
    const fetch: Step = { kind: 'fetchBuild', host: 'h2', release, buildId: 'b1' };
    const history = failed(fetch, 2);
    expect(stepsOf(later(input, history))).toContain('buildRelease h2');
  });

  it('are handed over by the host that has one already', () => {
    expect(stepsOf(withHost(bare, 'h3', { builds: [build] }))).toContain('buildRelease h3');
    expect(stepsOf(withHost(bare, 'h3', { builds: [build] }))).not.toContain('buildRelease h1');
  });

  it('are compiled everywhere when handing over does not work', () => {
    const hand: Step = { kind: 'buildRelease', host: 'h3', release };
    const input = later(withHost(bare, 'h3', { builds: [build] }), failed(hand, 2));
    expect(stepsOf(input)).toEqual(expect.arrayContaining(['buildRelease h1', 'buildRelease h2']));
  });

  it('that failed twice end the operation with what the compiler said', () => {
    const step: Step = { kind: 'buildRelease', host: 'h1', release };
    const next = planSteps(later(bare, failed(step, 2)));
    expect(next.steps).toEqual([]);
    expect(next.blockers[0]?.message).toContain('building redis-7.0.15 on h1 failed 2 times: ld');
  });
});
