import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Layout } from '../model/layout.ts';
import type { ClusterView, Observation } from '../model/observation.ts';
import type { Attempt } from '../model/operation.ts';
import type { NodeRole } from '../model/spec.ts';
import { stepKey, type Step } from '../model/step.ts';
import { planSteps } from './plan-steps.ts';
import { settle } from './settle.ts';
import { applyStep } from './simulate.ts';
import type { PlanInput } from './situation.ts';
import { clusterViewOf } from '../topology/cluster-view.ts';
import { attemptOf, bareHosts, inputOf, layoutOf, type Shape } from './testing/examples.ts';
import { assertReal, assertSafe, isUsable } from './testing/safety.ts';

/** From the worst moment on, a creation needs no more turns than this. */
const CALM_TURNS = 25;

interface World {
  input: PlanInput;
  probedHosts: Set<string>;
  everUsable: boolean;
  failedOnce: Set<string>;
}

/** What becomes of a step: its effect, and what the journal says. */
type Fate = 'ok' | 'cut-off' | 'done-but-failed' | 'failed' | 'never-begun';

function newWorld(layout: Layout): World {
  const input = inputOf(layout, bareHosts(layout));
  return { input, probedHosts: new Set(), everUsable: false, failedOnce: new Set() };
}

function carryOut(world: World, step: Step, fate: Fate): void {
  const { input } = world;
  // Only what is allowed to fail again may: exhausted tries are another test's subject.
  const failing = fate === 'failed' || fate === 'done-but-failed';
  const real = failing && world.failedOnce.has(stepKey(step)) ? 'ok' : fate;
  if (real === 'never-begun') return;
  assertSafe(input.layout, input.observation, world, step);
  if (failing) world.failedOnce.add(stepKey(step));
  if (real !== 'failed') {
    const observation = applyStep(input.observation, step, input.layout);
    world.input = { ...input, observation };
    if (step.kind === 'probeMesh' && real === 'ok') world.probedHosts.add(step.host);
  }
  const history = [...world.input.history, recordOf(step, real, input.now)];
  world.input = { ...world.input, history };
}

function recordOf(step: Step, fate: Fate, now: number): Attempt {
  const at = { startedAtMs: now, endedAtMs: now };
  if (fate === 'cut-off')
    return attemptOf(step, { ...at, endedAtMs: undefined, outcome: 'running' });
  if (fate === 'ok') return attemptOf(step, at);
  return attemptOf(step, { ...at, outcome: 'failed', errorCode: 'unavailable', message: 'lost' });
}

function settleWorld(world: World): void {
  const observation = settle(world.input.observation);
  world.input = { ...world.input, observation };
  world.everUsable ||= isUsable(world.input.layout, observation);
}

/** Every step succeeds and gossip settles: must end in time, with the layout real. */
function convergeCalmly(world: World): void {
  for (let turn = 0; turn < CALM_TURNS; turn += 1) {
    world.input = { ...world.input, now: world.input.now + 9000 };
    const next = planSteps(world.input);
    expect(next.blockers).toEqual([]);
    if (next.done) {
      assertReal(world.input.layout, world.input.observation);
      return;
    }
    for (const step of next.steps) carryOut(world, step, 'ok');
    settleWorld(world);
  }
  const { waits, steps } = planSteps(world.input);
  throw new Error(`no end: ${JSON.stringify({ waits, steps }).slice(0, 600)}`);
}

type Event =
  | 'settle'
  | 'forget-history'
  | 'drop-handshakes'
  | 'restart-node'
  | 'fail-over'
  | 'write'
  | 'pause';

function befall(world: World, event: Event, pick: number): void {
  const { input } = world;
  const { nodes } = input.layout;
  const key = nodes[pick % nodes.length]?.key ?? '';
  switch (event) {
    case 'settle':
      settleWorld(world);
      break;
    case 'forget-history':
      world.input = { ...input, history: [] };
      break;
    case 'drop-handshakes':
      world.input = { ...input, observation: withoutHandshakes(input.observation, key) };
      break;
    case 'restart-node':
      world.input = { ...input, observation: restarted(input, key) };
      break;
    case 'fail-over':
      world.input = { ...input, observation: failedOver(input, key) };
      break;
    case 'write':
      world.input = { ...input, observation: written(input.observation, key) };
      break;
    case 'pause':
      world.input = { ...input, now: input.now + 40_000 };
      break;
  }
}

function restarted({ observation, layout }: PlanInput, key: string): Observation {
  const step: Step = { kind: 'startNode', host: '', node: key };
  const running = observation.nodes[key]?.process.state === 'running';
  return running ? withoutHandshakes(applyStep(observation, step, layout), key) : observation;
}

function withoutHandshakes(observation: Observation, key: string): Observation {
  const node = observation.nodes[key];
  if (node?.redis === undefined) return observation;
  const known = node.redis.view.nodes.filter((entry) => !entry.flags.includes('handshake'));
  const redis = { ...node.redis, view: clusterViewOf(known) };
  return { ...observation, nodes: { ...observation.nodes, [key]: { ...node, redis } } };
}

/** Redis promotes a replica that is in sync, where replicas may fail over. */
function failedOver({ observation }: PlanInput, key: string): Observation {
  const replica = observation.nodes[key]?.redis;
  if (replica?.masterLinkUp !== true || replica.replicaNoFailover) return observation;
  const self = replica.view.nodes.find((entry) => entry.nodeId === replica.nodeId);
  const master = replica.view.nodes.find((entry) => entry.nodeId === self?.masterId);
  if (self === undefined || master === undefined) return observation;
  const configEpoch = replica.currentEpoch + 1;
  const promoted = { ...self, flags: ['master'], masterId: '', configEpoch, slots: master.slots };
  const demoted = { ...master, flags: ['slave'], masterId: self.nodeId, configEpoch, slots: [] };
  const nodes = Object.entries(observation.nodes).map(([other, node]) => {
    if (node.redis === undefined) return [other, node] as const;
    const view = clusterViewOf(
      node.redis.view.nodes.map((entry) => {
        if (entry.nodeId === self.nodeId) return promoted;
        if (entry.nodeId === master.nodeId) return demoted;
        return entry.masterId === master.nodeId ? { ...entry, masterId: self.nodeId } : entry;
      }),
    );
    const role = roleIn(view, node.redis.nodeId);
    return [other, { ...node, redis: { ...node.redis, view, role } }] as const;
  });
  return { ...observation, nodes: Object.fromEntries(nodes) };
}

function roleIn(view: ClusterView, nodeId: string): NodeRole {
  const entry = view.nodes.find((candidate) => candidate.nodeId === nodeId);
  return entry?.masterId === '' ? 'master' : 'replica';
}

/** A client writes as soon as a master serves. */
function written(observation: Observation, key: string): Observation {
  const node = observation.nodes[key];
  if (node?.redis?.clusterState !== 'ok' || node.redis.role !== 'master') return observation;
  const self = node.redis.view.nodes.find((entry) => entry.nodeId === node.redis?.nodeId);
  if (self?.slots.length === 0) return observation;
  const redis = { ...node.redis, keys: 1 };
  return { ...observation, nodes: { ...observation.nodes, [key]: { ...node, redis } } };
}

const shapes: fc.Arbitrary<Shape> = fc.constantFrom(
  { hosts: 1, shards: 1, replicas: 1 },
  { hosts: 3, shards: 3, replicas: 0 },
  { hosts: 3, shards: 3, replicas: 1 },
  { hosts: 4, shards: 3, replicas: 2 },
  { hosts: 5, shards: 5, replicas: 1 },
);

const fates = fc.array(
  fc.constantFrom<Fate>('ok', 'ok', 'ok', 'cut-off', 'done-but-failed', 'failed', 'never-begun'),
  { minLength: 1, maxLength: 12 },
);

const turns = fc.array(
  fc.record({
    fates,
    events: fc.array(
      fc.record({
        event: fc.constantFrom<Event>(
          'settle',
          'settle',
          'settle',
          'forget-history',
          'drop-handshakes',
          'restart-node',
          'fail-over',
          'write',
          'pause',
        ),
        pick: fc.nat({ max: 20 }),
      }),
      { maxLength: 3 },
    ),
  }),
  { maxLength: 18 },
);

describe('a creation that is cut off anywhere', () => {
  it('never does anything unsafe and still ends, whatever fails, crashes or is forgotten', () => {
    fc.assert(
      fc.property(shapes, fc.nat({ max: 8 }), turns, (shape, calmTurns, story) => {
        const world = newWorld(layoutOf(shape));
        for (let turn = 0; turn < calmTurns; turn += 1) {
          for (const step of planSteps(world.input).steps) carryOut(world, step, 'ok');
          settleWorld(world);
          world.input = { ...world.input, now: world.input.now + 2000 };
        }
        for (const { fates: fate, events } of story) {
          const next = planSteps(world.input);
          expect(next.blockers).toEqual([]);
          next.steps.forEach((step, at) => carryOut(world, step, fate[at % fate.length] ?? 'ok'));
          for (const { event, pick } of events) befall(world, event, pick);
          world.input = { ...world.input, now: world.input.now + 5000 };
        }
        convergeCalmly(world);
      }),
      { numRuns: 400 },
    );
  });

  it.each([
    ['with its journal', false],
    ['without its journal', true],
  ])('ends from behind every single step, %s', (_name, forget) => {
    const layout = layoutOf({ hosts: 3, shards: 3, replicas: 1 });
    let total = Infinity;
    for (let cut = 0; cut < total; cut += 1) {
      for (const settled of [true, false]) {
        const world = newWorld(layout);
        const done = runUntilCut(world, cut);
        if (done < cut) total = done;
        if (settled) settleWorld(world);
        if (forget) world.input = { ...world.input, history: [] };
        convergeCalmly(world);
      }
    }
    expect(total).toBeGreaterThan(40);
  });
});

/** Does steps one by one, `cut` in all; the result is how many there were. */
function runUntilCut(world: World, cut: number): number {
  let count = 0;
  for (;;) {
    const next = planSteps(world.input);
    if (next.done) return count;
    for (const step of next.steps) {
      if (count === cut) return count;
      carryOut(world, step, 'ok');
      count += 1;
    }
    settleWorld(world);
    world.input = { ...world.input, now: world.input.now + 2000 };
  }
}
