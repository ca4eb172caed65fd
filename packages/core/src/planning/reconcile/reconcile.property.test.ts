import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Layout, LayoutNode } from '../../model/layout.ts';
import type { Observation } from '../../model/observation.ts';
import type { Attempt } from '../../model/operation.ts';
import { nodePlanOf, stepKey, type Step } from '../../model/step.ts';
import { effectiveRoles } from '../../placement/effective-roles.ts';
import { absentNode } from '../fresh-node.ts';
import { planHashOf } from '../plan-hash.ts';
import { planSteps } from '../plan-steps.ts';
import { settle } from '../settle.ts';
import { applyStep } from '../simulate.ts';
import type { PlanInput } from '../situation.ts';
import { MISFORTUNES, strike, visiblePart, type Misfortune } from '../testing/drift.ts';
import {
  attemptOf,
  inputOf,
  layoutOf,
  NOW,
  release,
  runningCluster,
  type Shape,
} from '../testing/examples.ts';
import {
  assertOneHandoff,
  assertReconcileSafe,
  countLivingOwners,
} from '../testing/reconcile-safety.ts';

/** From the worst moment on, everything is in order after no more turns than this. */
const CALM_TURNS = 60;

interface World {
  input: PlanInput;
  /** What is really there; the planner sees less. */
  truth: Observation;
  /** Nodes that crash at every start. */
  broken: Set<string>;
  failedOnce: Set<string>;
}

type Fate = 'ok' | 'cut-off' | 'done-but-failed' | 'failed' | 'never-begun';

function realityOf({ input, truth }: World) {
  return { layout: input.layout, former: input.former, observation: truth };
}

function planTurn(world: World) {
  const observation = visiblePart(world.truth);
  const next = planSteps({ ...world.input, observation });
  const { history, now } = world.input;
  assertOneHandoff(realityOf(world), next.steps, history, now);
  return next;
}

function carryOut(world: World, step: Step, fate: Fate): boolean {
  const failing = fate === 'failed' || fate === 'done-but-failed';
  const real = failing && world.failedOnce.has(stepKey(step)) ? 'ok' : fate;
  if (real === 'never-begun') return false;
  assertReconcileSafe(realityOf(world), step);
  const before = countLivingOwners(realityOf(world));
  if (failing) world.failedOnce.add(stepKey(step));
  const crashes = step.kind === 'startNode' && world.broken.has(step.node);
  if (crashes) world.truth = withState(world.truth, step.node, 'crash-loop');
  else if (real !== 'failed') apply(world, step);
  const outcome = crashes ? 'failed' : real;
  const given = recordOf(step, outcome, world.input.now);
  const attempt = crashes ? { ...given, errorCode: 'failed-precondition' as const } : given;
  world.input = { ...world.input, history: [...world.input.history, attempt] };
  expect(countLivingOwners(realityOf(world))).toBeGreaterThanOrEqual(before);
  return outcome === 'ok';
}

function apply(world: World, step: Step): void {
  if (step.kind === 'removeNode') world.broken.delete(step.node);
  world.truth = applyStep(world.truth, step, world.input.layout);
}

function withState(truth: Observation, key: string, state: 'crash-loop'): Observation {
  const node = truth.nodes[key];
  if (node === undefined) return truth;
  const process = { ...node.process, state };
  return { ...truth, nodes: { ...truth.nodes, [key]: { ...node, process } } };
}

function recordOf(step: Step, fate: Fate, now: number): Attempt {
  const at = { startedAtMs: now, endedAtMs: now };
  if (fate === 'cut-off') {
    return attemptOf(step, { ...at, endedAtMs: undefined, outcome: 'running' });
  }
  if (fate === 'ok') return attemptOf(step, at);
  return attemptOf(step, { ...at, outcome: 'failed', errorCode: 'unavailable', message: 'lost' });
}

/** Steps of one node follow each other only as long as they succeed. */
function carryOutTurn(world: World, steps: readonly Step[], fates: readonly Fate[]): void {
  const stuck = new Set<string>();
  steps.forEach((step, at) => {
    const lane = 'node' in step ? step.node : 'plan' in step ? step.plan.node.key : step.host;
    if (stuck.has(lane)) return;
    if (!carryOut(world, step, fates[at % fates.length] ?? 'ok')) stuck.add(lane);
  });
}

function pass(world: World, ms: number): void {
  world.truth = settle(world.truth);
  world.input = { ...world.input, now: world.input.now + ms };
}

/** Strikes only where every shard keeps a living owner once Redis has done what it does. */
function befall(world: World, key: string, misfortune: Misfortune): void {
  const host = world.input.layout.nodes.find((node) => node.key === key)?.host ?? '';
  if (world.truth.hosts[host]?.status !== 'online') return;
  const struck = strike(world.truth, key, misfortune);
  const shards = world.input.layout.shards.length;
  const standing = countLivingOwners({ ...realityOf(world), observation: settle(struck) });
  if (standing < shards) return;
  world.truth = settle(struck);
  if (misfortune === 'crash') world.broken.add(key);
}

/** @returns the rules of what is left to a person. */
function convergeCalmly(world: World): string[] {
  for (let turn = 0; turn < CALM_TURNS; turn += 1) {
    pass(world, 9000);
    const next = planTurn(world);
    if (next.blockers.length > 0) return [...new Set(next.blockers.map(({ rule }) => rule))];
    if (next.done) {
      assertHome(world);
      return [];
    }
    carryOutTurn(world, next.steps, ['ok']);
  }
  const { waits, steps } = planTurn(world);
  throw new Error(`no end: ${JSON.stringify({ waits, steps: steps.map(stepKey) }, null, 1)}`);
}

/** What `done` promises, by what is really there. */
function assertHome({ input, truth }: World): void {
  const { layout, former } = input;
  const isOnline = (node: LayoutNode) => truth.hosts[node.host]?.status === 'online';
  const roles = effectiveRoles(layout);
  const allowed = new Set<string>();
  for (const node of layout.nodes) {
    const seen = truth.nodes[node.key];
    const id = seen?.redis?.nodeId;
    if (id !== undefined) allowed.add(id);
    if (!isOnline(node)) continue;
    const isRunning = seen?.process.state === 'running';
    expect(`${node.key} ${isRunning}`).toBe(`${node.key} ${roles.get(node.key) !== 'stopped'}`);
    if (!isRunning) continue;
    const wanted = layout.nodes.find(
      (other) => other.shard === node.shard && roles.get(other.key) === 'master',
    );
    if (wanted !== undefined && isOnline(wanted)) {
      expect(`${node.key} ${seen.redis?.role}`).toBe(`${node.key} ${roles.get(node.key)}`);
    }
    if (seen.redis?.role === 'replica') expect(seen.redis.masterLinkUp).toBe(true);
    expect(seen.redis?.clusterState).toBe('ok');
    expect(seen.process.planHash).toBe(planHashOf(nodePlanOf(layout, node, release)));
  }
  for (const node of former) {
    if (isOnline(node)) expect(truth.nodes[node.key]?.process.state).toBe('absent');
  }
  for (const node of layout.nodes) {
    const { process, redis } = truth.nodes[node.key] ?? {};
    if (!isOnline(node) || process?.state !== 'running') continue;
    const strangers = redis?.view.nodes.filter(({ nodeId }) => !allowed.has(nodeId));
    expect(strangers).toEqual([]);
  }
}

const shapes: fc.Arbitrary<Shape> = fc
  .record({
    hosts: fc.integer({ min: 3, max: 6 }),
    shards: fc.integer({ min: 3, max: 6 }),
    replicas: fc.integer({ min: 0, max: 2 }),
  })
  .filter(({ hosts, replicas }) => hosts > replicas);

const cache = new Map<string, Observation>();

/** A cluster with keys in every shard, of which every replica has a copy. */
function clusterOf(layout: Layout): Observation {
  const name = JSON.stringify(layout.nodes.map(({ key }) => key));
  const known = cache.get(name) ?? settle(withKeys(runningCluster(layout).observation));
  cache.set(name, known);
  return known;
}

function withKeys(observation: Observation): Observation {
  const nodes = Object.entries(observation.nodes).map(([key, node]) => {
    const { redis } = node;
    return [key, redis === undefined ? node : { ...node, redis: { ...redis, keys: 100 } }] as const;
  });
  return { ...observation, nodes: Object.fromEntries(nodes) };
}

interface Story {
  readonly strikes: readonly { readonly pick: number; readonly misfortune: Misfortune }[];
  readonly turns: readonly {
    readonly fates: readonly Fate[];
    readonly settles: boolean;
    readonly forgets: boolean;
    readonly strike: { readonly pick: number; readonly misfortune: Misfortune } | undefined;
  }[];
}

const strikes = fc.record({
  pick: fc.nat({ max: 30 }),
  misfortune: fc.constantFrom<Misfortune>(...MISFORTUNES),
});

const stories: fc.Arbitrary<Story> = fc.record({
  strikes: fc.array(strikes, { maxLength: 5 }),
  turns: fc.array(
    fc.record({
      fates: fc.array(
        fc.constantFrom<Fate>('ok', 'ok', 'ok', 'cut-off', 'done-but-failed', 'never-begun'),
        { minLength: 1, maxLength: 8 },
      ),
      settles: fc.boolean(),
      forgets: fc.boolean(),
      strike: fc.option(strikes, { nil: undefined, freq: 4 }),
    }),
    { maxLength: 14 },
  ),
});

const recklessStories = fc.array(
  fc.record({
    pick: fc.nat({ max: 30 }),
    misfortune: fc.constantFrom<Misfortune | 'lose-host' | 'boot-host'>(
      ...MISFORTUNES,
      'lose-host',
      'boot-host',
    ),
    fates: fc.array(fc.constantFrom<Fate>('ok', 'ok', 'cut-off', 'never-begun'), {
      minLength: 1,
      maxLength: 8,
    }),
    settles: fc.boolean(),
  }),
  { maxLength: 16 },
);

/** Whatever becomes of the cluster. */
function suffer(world: World, pick: number, what: Misfortune | 'lose-host' | 'boot-host'): void {
  const { nodes } = world.input.layout;
  const node = nodes[pick % nodes.length];
  if (node === undefined) return;
  if (what === 'lose-host' || what === 'boot-host') {
    const status = what === 'lose-host' ? 'lost' : 'online';
    world.truth = withHostStatus(world.truth, node.host, status);
  } else if (world.truth.hosts[node.host]?.status === 'online') {
    world.truth = strike(world.truth, node.key, what);
    if (what === 'crash') world.broken.add(node.key);
  }
}

function play(world: World, story: Story): void {
  const { nodes } = world.input.layout;
  const hit = ({ pick, misfortune }: Story['strikes'][number]) =>
    befall(world, nodes[pick % nodes.length]?.key ?? '', misfortune);
  story.strikes.forEach(hit);
  for (const { fates, settles, forgets, strike: blow } of story.turns) {
    const next = planTurn(world);
    carryOutTurn(world, next.steps, fates);
    if (settles) pass(world, 3000);
    else world.input = { ...world.input, now: world.input.now + 1000 };
    if (blow !== undefined) hit(blow);
    if (forgets) world.input = { ...world.input, history: [] };
  }
  // Tries that were used up end an operation; the next one begins with an empty journal.
  world.input = { ...world.input, history: [] };
}

function newWorld(layout: Layout, change: Partial<PlanInput>, truth: Observation): World {
  const input: PlanInput = { ...inputOf(layout, truth), kind: 'repair', ...change };
  return { input, truth, broken: new Set(), failedOnce: new Set() };
}

/** Replicas that keep each other's shard alive are a person's to disentangle. */
const HOME = [[], ['replica-of-another-shard']];

/** Hundreds of operations of dozens of turns each. */
const TIME = 120_000;
const RUNS = 60;

describe('a repair', () => {
  it(
    'is safe at every step and brings everything home, whatever broke and breaks meanwhile',
    () => {
      fc.assert(
        fc.property(shapes, stories, (shape, story) => {
          const layout = layoutOf(shape);
          const world = newWorld(layout, {}, clusterOf(layout));
          play(world, story);
          expect(HOME).toContainEqual(convergeCalmly(world));
        }),
        { numRuns: RUNS },
      );
    },
    TIME,
  );

  it(
    'is safe at every step also where shards are lost and hosts come and go',
    () => {
      fc.assert(
        fc.property(shapes, recklessStories, (shape, story) => {
          const layout = layoutOf(shape);
          const world = newWorld(layout, {}, clusterOf(layout));
          for (const { pick, misfortune, fates, settles } of story) {
            suffer(world, pick, misfortune);
            carryOutTurn(world, planTurn(world).steps, fates);
            if (settles) pass(world, 3000);
            else world.input = { ...world.input, now: world.input.now + 1000 };
          }
          for (let turn = 0; turn < CALM_TURNS; turn += 1) {
            pass(world, 9000);
            carryOutTurn(world, planTurn(world).steps, ['ok']);
          }
          const { done, blockers, waits } = planTurn(world);
          expect(done || blockers.length + waits.length > 0).toBe(true);
        }),
        { numRuns: RUNS },
      );
    },
    TIME,
  );

  it(
    'leaves a lost host out, and ends',
    () => {
      fc.assert(
        fc.property(shapes, fc.nat({ max: 5 }), stories, (shape, pick, story) => {
          const layout = layoutOf(shape);
          const names = Object.keys(clusterOf(layout).hosts);
          const lost = withHostStatus(clusterOf(layout), names[pick % names.length] ?? '', 'lost');
          const world = newWorld(layout, {}, settle(lost));
          const standing = countLivingOwners(realityOf(world));
          fc.pre(standing === shape.shards);
          play(world, { ...story, strikes: story.strikes.filter(isNoStray) });
          expect(HOME).toContainEqual(convergeCalmly(world));
        }),
        { numRuns: RUNS },
      );
    },
    TIME,
  );
});

const isNoStray = ({ misfortune }: { readonly misfortune: Misfortune }) => misfortune !== 'stray';

function withHostStatus(
  observation: Observation,
  name: string,
  status: 'online' | 'lost',
): Observation {
  const host = observation.hosts[name];
  if (host === undefined) throw new Error(`no host ${name}`);
  const changed = { ...host, status, lastSeenMs: NOW - 90_000 };
  return { ...observation, hosts: { ...observation.hosts, [name]: changed } };
}

describe('a change', () => {
  it(
    'drains a host and brings it back',
    () => {
      fc.assert(
        fc.property(shapes, stories, stories, (shape, away, back) => {
          fc.pre(shape.replicas > 0);
          const layout = layoutOf(shape);
          const drained = { ...layout, number: 2, drainedHosts: ['h1'] };
          const world = newWorld(drained, { kind: 'change' }, clusterOf(layout));
          play(world, away);
          expect(HOME).toContainEqual(convergeCalmly(world));
          world.input = { ...world.input, history: [], layout: { ...layout, number: 3 } };
          play(world, back);
          expect(HOME).toContainEqual(convergeCalmly(world));
        }),
        { numRuns: RUNS },
      );
    },
    TIME,
  );

  it(
    'moves the nodes of a host, living or lost, to a new one',
    () => {
      fc.assert(
        fc.property(
          shapes,
          fc.boolean(),
          fc.boolean(),
          stories,
          (shape, isLost, returns, story) => {
            const layout = layoutOf(shape);
            const { moved, former, truth } = replaceHost(layout, isLost);
            const world = newWorld(moved, { kind: 'change', former }, truth);
            fc.pre(countLivingOwners(realityOf(world)) === shape.shards);
            play(world, story);
            if (isLost && returns) {
              world.truth = settle(withHostStatus(world.truth, 'h1', 'online'));
            }
            expect(HOME).toContainEqual(convergeCalmly(world));
          },
        ),
        { numRuns: RUNS },
      );
    },
    TIME,
  );

  it(
    'gives nodes the new address of their host',
    () => {
      fc.assert(
        fc.property(shapes, fc.boolean(), stories, (shape, isDown, story) => {
          fc.pre(shape.replicas > 0 || isDown);
          const layout = layoutOf(shape);
          const atNew = layout.nodes.map((node) =>
            node.host === 'h1' ? { ...node, address: '10.1.0.1' } : node,
          );
          const next = { ...layout, number: 2, nodes: atNew };
          const old = clusterOf(layout);
          const own = layout.nodes.filter(({ host }) => host === 'h1');
          const crashed = own.reduce((seen, { key }) => strike(seen, key, 'crash'), old);
          const world = newWorld(next, { kind: 'change' }, settle(isDown ? crashed : old));
          play(world, { ...story, strikes: shape.replicas > 0 ? story.strikes : [] });
          expect(HOME).toContainEqual(convergeCalmly(world));
        }),
        { numRuns: RUNS },
      );
    },
    TIME,
  );
});

/** The nodes of h1 are laid out on h9 with the same ports; h1 may be lost. */
function replaceHost(layout: Layout, isLost: boolean) {
  const former = layout.nodes.filter(({ host }) => host === 'h1');
  const nodes = layout.nodes.map((node) =>
    node.host === 'h1'
      ? { ...node, host: 'h9', key: `h9:${node.port}`, address: '10.0.0.9' }
      : node,
  );
  const moved = { ...layout, number: 2, nodes };
  const before = clusterOf(layout);
  const h1 = before.hosts['h1'];
  if (h1 === undefined) throw new Error('no host h1');
  const added = nodes.filter(({ host }) => host === 'h9');
  const wider: Observation = {
    ...before,
    hosts: { ...before.hosts, h9: { ...h1, name: 'h9', builds: [] } },
    nodes: {
      ...before.nodes,
      ...Object.fromEntries(added.map((node) => [node.key, absentNode(node, NOW)])),
    },
  };
  const truth = settle(isLost ? withHostStatus(wider, 'h1', 'lost') : wider);
  return { moved, former, truth };
}
