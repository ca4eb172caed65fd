import { describe, expect, it } from 'vitest';
import { forecastSteps } from '../testing/forecast-steps.ts';
import { settle } from '../settle.ts';
import type { PlanInput } from '../situation.ts';
import { layoutOf, runningCluster } from '../testing/examples.ts';
import { beginChange, nextLayout, withKeys } from '../testing/next-layout.ts';

/** s4 is on h4:6380 and h1:6380, where there is one. */
const three = layoutOf({ hosts: 4, shards: 3, replicas: 1 });
const four = layoutOf({ hosts: 4, shards: 4, replicas: 1 });
const running = settle(withKeys(runningCluster(three).observation));
const wide = settle(withKeys(runningCluster(four).observation));

/** Rounds of the forecast, each as its kinds of steps and their nodes; proof is left out. */
function roundsOf(input: PlanInput): string[] {
  const { rounds, complete, waits, blockers } = forecastSteps(input);
  expect({ complete, waits, blockers }).toEqual({ complete: true, waits: [], blockers: [] });
  const lines = rounds.map((steps) => {
    const byKind = Map.groupBy(steps, (step) => step.kind);
    return [...byKind].map(([kind, own]) => {
      const names = own.map((step) => {
        if (step.kind === 'moveSlots') return `${step.source.node}>${step.target.node}`;
        return 'node' in step ? step.node : 'plan' in step ? step.plan.node.key : step.host;
      });
      return `${kind} ${names.toSorted().join(' ')}`;
    });
  });
  return lines.map((kinds) => kinds.join(', ')).filter((line) => !line.startsWith('verifyWrite'));
}

describe('a change of shape', () => {
  it('grows: nodes are there and in sync before slots come, and no node is source and target', () => {
    const next = nextLayout(three, { hosts: 4, shards: 4, replicas: 1 });
    expect(roundsOf(beginChange(running, three, next))).toEqual([
      'prepareNode h1:6380 h4:6380',
      'startNode h1:6380 h4:6380',
      'probeMesh h1 h2 h3 h4',
      'meetNodes h1:6379 h1:6380 h2:6379 h2:6380 h3:6379 h3:6380 h4:6379 h4:6380',
      'attachReplica h1:6380',
      'moveSlots h1:6379>h2:6380 h3:6380>h4:6380',
      'moveSlots h2:6380>h3:6380',
    ]);
  });

  it('shrinks: slots are elsewhere before nodes stop, and everybody forgets these', () => {
    const next = nextLayout(four, { hosts: 4, shards: 3, replicas: 1 });
    expect(roundsOf(beginChange(wide, four, next))).toEqual([
      'moveSlots h2:6380>h1:6379 h4:6380>h3:6380',
      'moveSlots h3:6380>h2:6380',
      'stopNode h1:6380 h4:6380',
      'forgetNodes h1:6379 h2:6379 h2:6380 h3:6379 h3:6380 h4:6379',
      'removeNode h1:6380 h4:6380',
    ]);
  });

  it('moves slots between the same nodes, and leaves a shard without any where it is', () => {
    const slots = [
      [{ start: 100, end: 5000 }],
      [
        { start: 0, end: 99 },
        { start: 5001, end: 9999 },
      ],
      [{ start: 10_000, end: 16_383 }],
      [],
    ];
    const next = nextLayout(four, { hosts: 4, shards: 4, replicas: 1 }, slots);
    expect(roundsOf(beginChange(wide, four, next))).toEqual([
      'moveSlots h2:6380>h1:6379 h4:6380>h3:6380',
      'moveSlots h1:6379>h2:6380 h3:6380>h2:6380',
    ]);
  });
});
