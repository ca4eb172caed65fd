/**
 * Changing clusters: plans are made, shown, and carried out if they still hold. The answers are
 * core's (placement, planning); here what was decided is stored, and begun.
 */
import { randomBytes } from 'node:crypto';

import {
  DEFAULT_MOVE_OPTIONS,
  RedroverError,
  type ClusterSpec,
  type HostChange,
  type MoveOptions,
  type NodeKey,
  type Operation,
} from '@redrover/core';

import {
  findCluster,
  unknownCluster,
  type ClusterPlan,
  type PlannedCluster,
  type PlannerContext,
} from './cluster-plan.ts';
import { ClusterPlanner } from './cluster-planner.ts';
import { planHostChanges, type PlannedHostChange } from './host-change-planner.ts';
import { withPreview } from './move-preview.ts';
import { tailNodeLog } from './node-log.ts';
import { planRepair } from './repair-planner.ts';
import { planReshardOf, type ReshardWish } from './reshard-planner.ts';
import { ShownPlans } from './shown-plans.ts';
import { hostCommandOf, reshardCommandOf, stalePlan } from './stale-plan.ts';

/** A password that nobody has to type: 192 bits, and no character that a shell minds. */
const PASSWORD_BYTES = 24;

/** The user that every Redis has, also before ACLs. */
export const REDIS_USERNAME = 'default';

/** What was approved of a plan that was shown. */
export interface Approved {
  readonly fingerprint: string;
  /** As in the plan. */
  readonly move: MoveOptions;
}

export class Clusters {
  readonly #context: PlannerContext;
  readonly #planner: ClusterPlanner;
  readonly #shown = new ShownPlans();
  /** What changes clusters is done one at a time: a plan is checked and stored without a gap. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(context: PlannerContext) {
    this.#context = context;
    this.#planner = new ClusterPlanner(context);
  }

  /** Plans, from the state of this moment, and remembers the plan for `apply`. */
  async plan(given: ClusterSpec, move: MoveOptions): Promise<PlannedCluster> {
    const planned = await this.#planner.plan(given, move);
    return planned.ok ? { ok: true, plan: await this.#show(planned.plan) } : planned;
  }

  /** @returns the operation that makes it so; undefined when nothing would change. */
  async apply(given: ClusterSpec, { fingerprint, move }: Approved): Promise<Operation | undefined> {
    return this.#inTurn(async () => {
      const { store } = this.#context;
      const layout = await store.plans.findLayout(fingerprint, Date.now());
      const shown = this.#shown.find(fingerprint);
      const planned = await this.#planner.plan(given, move, { layout, plan: shown });
      if (!planned.ok || planned.plan.fingerprint !== fingerprint) {
        throw stalePlan(given.name, 'redrover cluster plan');
      }
      const { plan } = planned;
      this.#refuseBlocked(plan);
      const [operation] = await this.#carryOut([plan]);
      return operation;
    });
  }

  async planRepair(name: string, move: MoveOptions): Promise<ClusterPlan> {
    return this.#show(await this.#planRepair(name, move));
  }

  /** One that nobody looks at before it is applied: nothing is surveyed for it. */
  async planUnseenRepair(name: string): Promise<ClusterPlan> {
    return this.#planRepair(name, DEFAULT_MOVE_OPTIONS);
  }

  /** Rebalances, moves slots, or spreads nodes over hosts. */
  async planReshard(request: ReshardWish): Promise<PlannedCluster> {
    const record = await findCluster(this.#context, request.cluster);
    const planned = await planReshardOf(this.#context, { ...request, record });
    return planned.ok ? { ok: true, plan: await this.#show(planned.plan) } : planned;
  }

  /** @returns the operation that does it; undefined when nothing is to be done. */
  async reshard(
    request: ReshardWish & { readonly fingerprint: string },
  ): Promise<Operation | undefined> {
    return this.#inTurn(async () => {
      const { cluster, change, fingerprint } = request;
      const { store } = this.#context;
      const record = await findCluster(this.#context, cluster);
      const approved = await store.plans.findNext(fingerprint, record, Date.now());
      const shown = this.#shown.find(fingerprint);
      const asked = { ...request, record, approved, shown };
      const planned = await planReshardOf(this.#context, asked);
      if (!planned.ok || planned.plan.fingerprint !== fingerprint) {
        throw stalePlan(cluster, reshardCommandOf(cluster, change));
      }
      if (planned.plan.empty) return undefined;
      this.#refuseBlocked(planned.plan);
      const [operation] = await this.#carryOut([planned.plan]);
      return operation;
    });
  }

  /** What is to be shown to people: with what its moves would do, and remembered for `apply`. */
  async #show(made: ClusterPlan): Promise<ClusterPlan> {
    const plan = await withPreview(this.#context, made);
    this.#shown.note(plan);
    const { fingerprint, layout, kind } = plan;
    if (kind === 'create' || kind === 'change') {
      await this.#context.store.plans.save({ fingerprint, layout, plannedAtMs: Date.now() });
    }
    return plan;
  }

  async #planRepair(name: string, move: MoveOptions, approved?: ClusterPlan): Promise<ClusterPlan> {
    return planRepair(this.#context, await findCluster(this.#context, name), move, approved);
  }

  /**
   * `automatic`: begun by Redrover itself.
   *
   * @returns the operation that repairs; undefined when nothing is to be done.
   */
  async repair(
    name: string,
    { fingerprint, move, automatic = false }: Approved & { readonly automatic?: boolean },
  ): Promise<Operation | undefined> {
    return this.#inTurn(async () => {
      const plan = await this.#planRepair(name, move, this.#shown.find(fingerprint));
      if (plan.fingerprint !== fingerprint)
        throw stalePlan(name, `redrover cluster repair ${name}`);
      if (plan.empty) return undefined;
      this.#refuseBlocked(plan);
      const [operation] = await this.#carryOut([plan], { automatic });
      return operation;
    });
  }

  async planHostChange(change: HostChange): Promise<PlannedHostChange> {
    const planned = await planHostChanges(this.#context, change);
    if (!planned.ok) return planned;
    const plans: ClusterPlan[] = [];
    for (const plan of planned.plans) plans.push(await this.#show(plan));
    return { ok: true, plans };
  }

  /** All clusters or none; `fingerprints`: of every plan that was shown. */
  async applyHostChange(change: HostChange, fingerprints: readonly string[]): Promise<Operation[]> {
    return this.#inTurn(async () => {
      const planned = await planHostChanges(this.#context, change);
      const plans = planned.ok ? planned.plans : [];
      const approved = new Set(fingerprints);
      const same =
        planned.ok &&
        plans.length === approved.size &&
        plans.every(({ fingerprint }) => approved.has(fingerprint));
      if (!same) throw stalePlan(`the clusters on ${change.host}`, hostCommandOf(change));
      for (const plan of plans) this.#refuseBlocked(plan);
      return this.#carryOut(plans);
    });
  }

  async planRemoval(name: string, purge: boolean): Promise<ClusterPlan> {
    return this.#planner.planRemoval(await findCluster(this.#context, name), purge);
  }

  async remove(name: string, purge: boolean, fingerprint: string): Promise<Operation> {
    return this.#inTurn(async () => {
      const plan = await this.planRemoval(name, purge);
      if (plan.fingerprint !== fingerprint) throw stalePlan(name, 'redrover cluster rm');
      this.#refuseBlocked(plan);
      const operation = newOperation(plan, { purge });
      await this.#context.store.operations.add(operation, plan.layout.clusterId);
      await this.#begin(operation, plan);
      return operation;
    });
  }

  async readCredentials(name: string): Promise<{ username: string; password: string }> {
    const password = await this.#context.store.clusters.readPassword(name);
    if (password === undefined) throw unknownCluster(name);
    return { username: REDIS_USERNAME, password };
  }

  /** `lines` 0: as many as fit on a few screens. */
  async tailLog(name: string, key: NodeKey, lines: number): Promise<string[]> {
    return tailNodeLog(this.#context, { name, key, lines });
  }

  /** Durable before it is acknowledged, and before anything is done: all of it or nothing. */
  async #carryOut(
    plans: readonly ClusterPlan[],
    options: { readonly automatic?: boolean } = {},
  ): Promise<Operation[]> {
    const { clusters } = this.#context.store;
    const made = plans.map((plan) => ({
      ...plan,
      operation: plan.empty ? undefined : newOperation(plan, options),
      fromLayoutNumber: plan.currentLayoutNumber,
    }));
    const [first] = made;
    if (first?.operation !== undefined && first.fromLayoutNumber === 0) {
      const password = randomBytes(PASSWORD_BYTES).toString('hex');
      await clusters.create({ ...first, operation: first.operation, password });
    } else {
      await clusters.advance(made, Date.now());
    }
    for (const { operation, ...plan } of made) {
      if (operation !== undefined) await this.#begin(operation, plan);
    }
    return made.flatMap(({ operation }) => operation ?? []);
  }

  async #begin(
    operation: Operation,
    { layout, release }: Pick<ClusterPlan, 'layout' | 'release'>,
  ): Promise<void> {
    const { clusterId } = layout;
    const record = { operation, clusterId, cancelling: false };
    await this.#context.operations.begin(record, { layout, release });
  }

  /** @throws RedroverError `failed-precondition` */
  #refuseBlocked(plan: ClusterPlan): void {
    const { forecast, layout } = plan;
    this.#shown.check(plan);
    if (forecast.blockers.length === 0) return;
    const reasons = forecast.blockers.map(({ message, remedy }) => `${message}; ${remedy}`);
    throw new RedroverError(
      'failed-precondition',
      `the plan for ${layout.cluster} cannot be carried out:\n${reasons.join('\n')}`,
    );
  }

  #inTurn<Result>(action: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(action);
    // The next one has its turn whatever became of this one.
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

function newOperation(
  { kind, layout, reason, move }: ClusterPlan,
  { purge = false, automatic = false }: { readonly purge?: boolean; readonly automatic?: boolean },
): Operation {
  return {
    id: `op-${randomBytes(6).toString('hex')}`,
    cluster: layout.cluster,
    kind,
    layoutNumber: layout.number,
    state: 'running',
    createdAtMs: Date.now(),
    endedAtMs: undefined,
    message: '',
    purge,
    reason,
    automatic,
    move,
  };
}
