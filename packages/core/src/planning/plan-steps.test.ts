import { describe, expect, it } from 'vitest';
import { bareHosts, inputOf, layoutOf, playUntil, runningCluster } from './testing/examples.ts';
import { forecastSteps } from './testing/forecast-steps.ts';
import { planSteps } from './plan-steps.ts';

const layout = layoutOf({ hosts: 3, shards: 3, replicas: 1 });

describe('a creation on bare hosts', () => {
  it('goes through its phases in order', () => {
    const { rounds, complete } = forecastSteps(inputOf(layout, bareHosts(layout)));
    const kinds = rounds.map((steps) => [...new Set(steps.map((step) => step.kind))].join(' '));
    expect(kinds).toEqual([
      'buildRelease',
      'fetchBuild prepareNode',
      'startNode prepareNode',
      'startNode',
      'setTiming probeMesh claimSlots',
      'meetNodes',
      'attachReplica',
      'setTiming verifyWrite',
    ]);
    expect(complete).toBe(true);
  });

  it('ends done', () => {
    expect(planSteps(playUntil(inputOf(layout, bareHosts(layout))))).toEqual({
      steps: [],
      waits: [],
      blockers: [],
      decisions: [],
      done: true,
    });
  });
});

describe('a cluster that is complete already', () => {
  it('is only verified again when nothing is known of an earlier operation', () => {
    const next = planSteps(runningCluster(layout));
    expect(next.steps.map((step) => step.kind)).toEqual(Array(3).fill('verifyWrite'));
    expect([...next.waits, ...next.blockers]).toEqual([]);
  });

  it('gives an empty forecast', () => {
    const { rounds, complete } = forecastSteps(runningCluster(layout));
    expect({ rounds, complete }).toEqual({ rounds: [], complete: true });
  });
});
