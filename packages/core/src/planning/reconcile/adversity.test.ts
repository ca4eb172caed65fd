/** What must not happen where several things are wrong at once. */
import { describe, expect, it } from 'vitest';
import { nodePlanOf, stepKey } from '../../model/step.ts';
import { forecastSteps } from '../testing/forecast-steps.ts';
import { planSteps } from '../plan-steps.ts';
import { settle } from '../settle.ts';
import { applyRound } from '../simulate.ts';
import type { PlanInput } from '../situation.ts';
import { findLeftForLater } from './left-for-later.ts';
import { strike, visiblePart, type Misfortune } from '../testing/drift.ts';
import {
  attemptOf,
  layoutOf,
  NOW,
  playUntil,
  release,
  runningCluster,
  withHost,
} from '../testing/examples.ts';
import { assertReconcileSafe } from '../testing/reconcile-safety.ts';
import { newWorld, realityOf } from '../testing/reconcile-world.ts';

/** The master of shard i is on host i, its replica on the next one; h1 and h2 together are s1. */
const layout = layoutOf({ hosts: 6, shards: 5, replicas: 1 });
const running: PlanInput = { ...runningCluster(layout), kind: 'repair' };

function lose(input: PlanInput, name: string): PlanInput {
  const { observation } = withHost(input, name, { status: 'lost', lastSeenMs: NOW - 90_000 });
  return { ...input, observation: settle(observation) };
}

describe('while slots of one shard are lost', () => {
  const broken = lose(lose(running, 'h1'), 'h2');

  it.each<Misfortune>(['vanish', 'hang', 'lose-identity'])(
    'a repair says so, and does not wait for ever because a replica elsewhere met with: %s',
    (misfortune) => {
      const struck = strike(broken.observation, 'h5:6379', misfortune);
      const { waits, blockers } = forecastSteps({
        ...broken,
        observation: visiblePart(settle(struck)),
      });
      expect(waits).toEqual([]);
      expect(blockers.map(({ rule, subject }) => `${rule} ${subject}`)).toEqual(['slots-lost s1']);
    },
  );
});

describe('an agent that says that it has no such node', () => {
  const node = layout.nodes.find(({ key }) => key === 'h5:6379');
  if (node === undefined) throw new Error('no such node');
  const prepare = {
    kind: 'prepareNode',
    host: 'h5',
    plan: nodePlanOf(layout, node, release),
  } as const;
  const failed = { outcome: 'failed', errorCode: 'already-exists', message: 'port taken' } as const;
  const history = [attemptOf(prepare, failed), attemptOf(prepare, failed)];
  const unseen = visiblePart(strike(running.observation, node.key, 'vanish'));

  it('is not believed while the others reach that node: its root may be another one', () => {
    const { steps } = planSteps({ ...running, history, observation: unseen, now: NOW + 60_000 });
    expect(steps.map(({ kind }) => kind)).not.toContain('forgetNodes');
  });

  it('is believed once they call it failed', () => {
    const observation = settle(unseen);
    const { steps } = planSteps({ ...running, history, observation, now: NOW + 60_000 });
    expect(steps.map(({ kind }) => kind)).toContain('forgetNodes');
  });
});

describe('a drain that was cut short', () => {
  // s1 is on h1 (master), h2 and h3.
  const wide = layoutOf({ hosts: 6, shards: 3, replicas: 2 });
  const drained = { ...wide, number: 2, drainedHosts: ['h2'] };
  const begun: PlanInput = { ...runningCluster(wide), kind: 'repair', layout: drained };
  const stops = (input: PlanInput) =>
    forecastSteps(input)
      .rounds.flat()
      .flatMap((step) => (step.kind === 'stopNode' ? step.node : []));

  it('is finished by a repair', () => {
    expect(stops(begun)).toEqual(['h2:6379', 'h2:6380']);
    expect(findLeftForLater(begun)).toEqual([]);
  });

  it('does not take the last copy beside a master while the third one is on a lost host', () => {
    const input = lose(begun, 'h3');
    expect(stops(input)).toEqual([]);
    const kept = findLeftForLater(input).filter(({ rule }) => rule === 'drained-node-kept');
    expect(kept.map(({ subject, evidence }) => [subject, ...evidence])).toEqual([
      ['h2:6379', 'h3:6379 does not run'],
      ['h2:6380', 'h3:6380 does not run'],
    ]);
  });
});

describe('a host that falls silent while it is drained', () => {
  const drained = { ...layout, number: 2, drainedHosts: ['h2'] };
  const begun: PlanInput = { ...running, kind: 'change', layout: drained };
  // s1 has its replica there, s2 its master, which is handed off before anything stops.
  const handedOff = playUntil(begun, (steps) => steps.some(({ kind }) => kind === 'stopNode'));
  const silent = (from: PlanInput, seconds: number) =>
    withHost(from, 'h2', { status: 'lost', lastSeenMs: from.now - seconds * 1000 });
  const left = (from: PlanInput) => {
    const { waits, blockers } = forecastSteps(from);
    return [...waits.map(({ subject }) => subject), ...blockers.map(({ rule }) => rule)];
  };

  it('is waited for while the others reach its nodes, then left to a person: never done', () => {
    expect(planSteps(silent(handedOff, 10)).waits.map(({ subject }) => subject)).toEqual(['h2']);
    const silenced = silent(handedOff, 90);
    const proofs = planSteps(silenced).steps;
    expect(new Set(proofs.map(({ kind }) => kind))).toEqual(new Set(['verifyWrite']));
    const history = [...silenced.history, ...proofs.map((step) => attemptOf(step))];
    const { blockers, done } = planSteps({ ...silenced, history });
    expect(blockers).toMatchObject([{ rule: 'host-unreachable', subject: 'h2' }]);
    expect(done).toBe(false);
  });

  it('is drained once all the others call its nodes failed', () => {
    const input = silent(handedOff, 10);
    const away = { ...input, observation: settle(input.observation) };
    expect(left(away)).toEqual([]);
    expect(forecastSteps(away).complete).toBe(true);
  });

  it('is drained if its nodes were stopped before', () => {
    const input = silent(playUntil(begun), 10);
    expect(left(input)).toEqual([]);
    expect(forecastSteps(input).complete).toBe(true);
  });
});

describe('a replica that followed the master of another shard, and was elected in its place', () => {
  // s1 is on h1 and h2, s2 on h2 and h3, s3 on h3 and h1.
  const small = layoutOf({ hosts: 3, shards: 3, replicas: 1 });
  const whole: PlanInput = { ...runningCluster(small), kind: 'repair' };
  const [stray, master, copy] = ['h2:6379', 'h3:6380', 'h1:6380'] as const;
  const followed = strike(whole.observation, stray, 'stray', master);
  const elected = settle(strike(settle(strike(followed, copy, 'stop')), master, 'stop'));
  const crashed = strike(elected, stray, 'crash');
  const start = { kind: 'startNode', host: 'h2', node: stray } as const;
  const failed = { outcome: 'failed', errorCode: 'failed-precondition' } as const;
  const history = [attemptOf(start, failed), attemptOf(start, failed)];

  it('hands that shard over, then serves its own again', () => {
    const { complete, rounds } = forecastSteps({ ...whole, observation: visiblePart(elected) });
    const kinds = ['startNode', 'attachReplica', 'handoffMaster'];
    const steps = rounds.flat().filter(({ kind }) => kinds.includes(kind));
    expect(complete).toBe(true);
    expect(steps.map(stepKey)).toEqual([
      'startNode h3:6380',
      'startNode h1:6380',
      'handoffMaster h3:6380',
      'attachReplica h2:6379',
    ]);
  });

  it('is not made anew when it crashes, also before the others have seen that: it has all', () => {
    for (const observation of [crashed, settle(crashed)]) {
      const seen = { ...whole, history, observation: visiblePart(observation) };
      const kinds = planSteps(seen).steps.map(stepKey);
      expect(kinds.toSorted()).toEqual(['startNode h1:6380', 'startNode h3:6380']);
    }
  });

  it('is made anew once the shard has another owner', () => {
    const returned = settle(strike(settle(strike(followed, master, 'stop')), stray, 'crash'));
    const { steps } = planSteps({ ...whole, history, observation: visiblePart(returned) });
    const world = newWorld(small, {}, returned);
    expect(steps.map(stepKey)).toContain(`removeNode ${stray}`);
    for (const step of steps) assertReconcileSafe(realityOf(world), step);
  });
});

describe('the only master that is left, with all slots and newcomers beside it', () => {
  const single = layoutOf({ hosts: 3, shards: 3, replicas: 0 });
  const { observation } = runningCluster(single);
  const all = [{ start: 0, end: 16_383 }];
  const shards = single.shards.map(({ id }) => ({ id, slots: id === 's1' ? all : [] }));
  const layoutOfOne = { ...single, shards };
  const moved: PlanInput = { ...runningCluster(single), kind: 'repair', layout: layoutOfOne };

  it('is no stranger, though nobody who is alive knows it', () => {
    const done = forecastSteps(moved);
    let seen = observation;
    for (const steps of done.rounds) seen = settle(applyRound(seen, steps, moved.layout));
    const anew = settle(strike(settle(strike(seen, 'h2:6379', 'vanish')), 'h3:6379', 'vanish'));
    const started = forecastSteps({ ...moved, observation: visiblePart(anew) });
    expect(started.blockers).toEqual([]);
    expect(started.complete).toBe(true);
  });
});

describe('two replicas that followed each other’s master, and were both elected', () => {
  // s1 is on h1 and h2, s2 on h2 and h3, s3 on h3 and h1.
  const small = layoutOf({ hosts: 3, shards: 3, replicas: 1 });
  const calm: PlanInput = { ...runningCluster(small), kind: 'repair' };
  const one = strike(calm.observation, 'h2:6379', 'stray', 'h3:6380');
  const both = strike(one, 'h1:6380', 'stray', 'h1:6379');
  const first = strike(both, 'h1:6379', 'fail-over');
  const swapped = settle(strike(settle(first), 'h3:6380', 'fail-over'));

  it('hand these shards over; no slot is moved, and no only copy taken away', () => {
    const { rounds, blockers } = forecastSteps({ ...calm, observation: visiblePart(swapped) });
    const steps = rounds.flat().filter(({ kind }) => kind !== 'verifyWrite');
    expect(steps.map(stepKey)).toEqual(['handoffMaster h3:6380', 'handoffMaster h1:6379']);
    expect(blockers.map(({ rule, subject }) => `${rule} ${subject}`)).toEqual([
      'replica-of-another-shard h2:6379',
      'replica-of-another-shard h1:6380',
    ]);
  });
});
