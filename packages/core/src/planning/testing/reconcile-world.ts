/**
 * A cluster under repair or change, of which the planner sees less than is true: steps fail, are
 * cut off or never begun, and every one is held against what is really there.
 */
import type { Fate } from './fate.ts';
import { expect } from 'vitest';
import type { Layout, LayoutNode } from '../../model/layout.ts';
import type { Observation } from '../../model/observation.ts';
import type { Attempt, NextSteps } from '../../model/operation.ts';
import { nodePlanOf, stepKey, type Step } from '../../model/step.ts';
import { effectiveRoles } from '../../placement/effective-roles.ts';
import { planHashOf } from '../plan-hash.ts';
import { planSteps } from '../plan-steps.ts';
import { settle } from '../settle.ts';
import { applyStep } from '../simulate.ts';
import type { PlanInput } from '../situation.ts';
import { strike, visiblePart, type Misfortune } from './drift.ts';
import { attemptOf, inputOf, NOW, release } from './examples.ts';
import { luckOf, playMove, playMovers, watchOpenSlots, type Luck } from './move-luck.ts';
import { assertDistinctRoles } from './distinct-roles.ts';
import {
  assertOneHandoff,
  assertReconcileSafe,
  countLivingOwners,
  type Reality,
} from './reconcile-safety.ts';

/** The rule of replicas that are left with another shard. */
export const TANGLED = 'replica-of-another-shard';

/** From the worst moment on, everything is in order after no more turns than this. */
export const CALM_TURNS = 60;

/** What is held against the truth at every step. */
export interface Law {
  /** Throws when doing the step now could lose data, the quorum, or the way back of a node. */
  readonly assertSafe: (reality: Reality, step: Step) => void;
  /** How much is served by somebody living; no step of ours makes it less. */
  readonly countServed: (reality: Reality) => number;
  /** Whether Redis serves everything after that misfortune, once it has done what it does. */
  readonly isStanding: (world: World, struck: Observation) => boolean;
}

const RECONCILE_LAW: Law = {
  assertSafe: assertReconcileSafe,
  countServed: countLivingOwners,
  isStanding: (world, struck) => {
    const standing = countLivingOwners({ ...realityOf(world), observation: settle(struck) });
    return standing === world.input.layout.shards.length;
  },
};

export interface World {
  readonly law: Law;
  input: PlanInput;
  /** What is really there; the planner sees less. */
  truth: Observation;
  /** Nodes that crash at every start. */
  broken: Set<string>;
  failedOnce: Set<string>;
  /** How far movers get. */
  luck: Luck;
}

export function realityOf({ input, truth }: World): Reality {
  return { layout: input.layout, former: input.former, observation: truth };
}

export function planTurn(world: World): NextSteps {
  const observation = visiblePart(world.truth);
  const next = planSteps({ ...world.input, observation });
  const { history, now } = world.input;
  assertOneHandoff(realityOf(world), next.steps, history, now);
  assertDistinctRoles(next.steps);
  return next;
}

function carryOut(world: World, step: Step, fate: Fate): boolean {
  const failing = fate === 'failed' || fate === 'done-but-failed';
  const real = failing && world.failedOnce.has(stepKey(step)) ? 'ok' : fate;
  if (real === 'never-begun') return false;
  world.law.assertSafe(realityOf(world), step);
  const before = world.law.countServed(realityOf(world));
  if (failing) world.failedOnce.add(stepKey(step));
  const crashes = step.kind === 'startNode' && world.broken.has(step.node);
  if (crashes) world.truth = withState(world.truth, step.node, 'crash-loop');
  else if (real !== 'failed' || step.kind === 'moveSlots') apply(world, step, real);
  const outcome = crashes ? 'failed' : real;
  const given = recordOf(step, outcome, world.input.now);
  const attempt = crashes ? { ...given, errorCode: 'failed-precondition' as const } : given;
  world.input = { ...world.input, history: [...world.input.history, attempt] };
  expect(world.law.countServed(realityOf(world))).toBeGreaterThanOrEqual(before);
  return outcome === 'ok';
}

function apply(world: World, step: Step, fate: Fate): void {
  if (step.kind === 'moveSlots') {
    world.truth = playMove(world.truth, step, { fate, luck: world.luck });
    return;
  }
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
export function carryOutTurn(world: World, steps: readonly Step[], fates: readonly Fate[]): void {
  const stuck = new Set<string>();
  steps.forEach((step, at) => {
    const lane = 'node' in step ? step.node : 'plan' in step ? step.plan.node.key : step.host;
    if (stuck.has(lane)) return;
    if (!carryOut(world, step, fates[at % fates.length] ?? 'ok')) stuck.add(lane);
  });
}

export function pass(world: World, ms: number): void {
  world.truth = settle(watchOpenSlots(playMovers(world.truth, world.luck), ms));
  world.input = { ...world.input, now: world.input.now + ms };
}

/** Strikes only where every shard keeps a living owner once Redis has done what it does. */
export function befall(world: World, key: string, misfortune: Misfortune): void {
  const host = world.truth.nodes[key]?.host ?? '';
  if (world.truth.hosts[host]?.status !== 'online') return;
  const struck = strike(world.truth, key, misfortune);
  if (!world.law.isStanding(world, struck)) return;
  world.truth = settle(struck);
  if (misfortune === 'crash') world.broken.add(key);
}

/**
 * Replicas that keep each other's shard alive are a person's to disentangle, with all that follows.
 *
 * @returns the rules of what is left to a person.
 */
export function convergeCalmly(world: World): string[] {
  for (let turn = 0; turn < CALM_TURNS; turn += 1) {
    pass(world, 9000);
    const next = planTurn(world);
    if (next.blockers.length > 0) {
      const rules = new Set(next.blockers.map(({ rule }) => rule));
      return rules.has(TANGLED) ? [TANGLED] : [...rules];
    }
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
export function assertHome({ input, truth }: World): void {
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
    const process = truth.nodes[node.key]?.process;
    // A directory that is gone says of nobody that it was his.
    const isNobodys = process?.marker === undefined && process?.state !== 'running';
    if (isOnline(node) && !isNobodys) expect(process?.state).toBe('absent');
  }
  for (const node of layout.nodes) {
    const { process, redis } = truth.nodes[node.key] ?? {};
    if (!isOnline(node) || process?.state !== 'running') continue;
    const strangers = redis?.view.nodes.filter(({ nodeId }) => !allowed.has(nodeId));
    expect(strangers).toEqual([]);
  }
}

export function newWorld(
  layout: Layout,
  change: Partial<PlanInput>,
  truth: Observation,
  law: Law = RECONCILE_LAW,
): World {
  const input: PlanInput = { ...inputOf(layout, truth), kind: 'repair', ...change };
  return { law, input, truth, broken: new Set(), failedOnce: new Set(), luck: luckOf(1) };
}

export function withHostStatus(
  observation: Observation,
  name: string,
  status: 'online' | 'lost',
): Observation {
  const host = observation.hosts[name];
  if (host === undefined) throw new Error(`no host ${name}`);
  const changed = { ...host, status, lastSeenMs: NOW - 90_000 };
  return { ...observation, hosts: { ...observation.hosts, [name]: changed } };
}
