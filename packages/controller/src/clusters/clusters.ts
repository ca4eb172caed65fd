/**
 * Clusters: planned, applied, removed, looked at. The answers are core's (placement, planning,
 * examination); here they get their input, and what was decided is stored.
 */
import { randomBytes } from 'node:crypto';

import {
  checkCluster,
  examineCluster,
  RedroverError,
  summarizeCluster,
  type ClusterHealth,
  type ClusterSpec,
  type Examination,
  type ExaminationInput,
  type Finding,
  type HostChange,
  type NodeKey,
  type NodeObservation,
  type Operation,
} from '@redrover/core';

import { takeSnapshot } from '../agents/snapshot.ts';
import type { ClusterRecord } from '../store/cluster-records.ts';
import {
  formerNodes,
  observeNodes,
  type ClusterPlan,
  type PlannedCluster,
  type PlannerContext,
} from './cluster-plan.ts';
import { ClusterPlanner } from './cluster-planner.ts';
import { planHostChanges, type PlannedHostChange } from './host-change-planner.ts';
import { listPlanningHosts } from './planning-hosts.ts';
import { planRepair } from './repair-planner.ts';

export interface ClusterStatus {
  readonly record: ClusterRecord;
  readonly health: ClusterHealth;
  /** The operation under way. */
  readonly operation: Operation | undefined;
}

export interface ClusterDetails extends ClusterStatus {
  /** As they were seen last; nodes of which nothing is known are left out. */
  readonly nodes: readonly NodeObservation[];
  readonly findings: readonly Finding[];
}

/** A password that nobody has to type: 192 bits, and no character that a shell minds. */
const PASSWORD_BYTES = 24;

/** The user that every Redis has, also before ACLs. */
export const REDIS_USERNAME = 'default';

const TAIL_TIMEOUT_MS = 15_000;
const DEFAULT_LINES = 100;
const MAX_LINES = 10_000;

export class Clusters {
  readonly #context: PlannerContext;
  readonly #planner: ClusterPlanner;
  /** What changes clusters is done one at a time: a plan is checked and stored without a gap. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(context: PlannerContext) {
    this.#context = context;
    this.#planner = new ClusterPlanner(context);
  }

  /** Plans, from the state of this moment, and remembers the plan for `apply`. */
  async plan(given: ClusterSpec): Promise<PlannedCluster> {
    const planned = await this.#planner.plan(given);
    if (planned.ok) {
      const { fingerprint, layout } = planned.plan;
      await this.#context.store.plans.save({ fingerprint, layout, plannedAtMs: Date.now() });
    }
    return planned;
  }

  /** @returns the operation that makes it so; undefined when nothing would change. */
  async apply(given: ClusterSpec, fingerprint: string): Promise<Operation | undefined> {
    return this.#inTurn(async () => {
      const { store } = this.#context;
      const approved = await store.plans.findLayout(fingerprint, Date.now());
      const planned = await this.#planner.plan(given, approved);
      if (!planned.ok || planned.plan.fingerprint !== fingerprint) {
        throw stalePlan(given.name, 'redrover cluster plan');
      }
      const { plan } = planned;
      refuseBlocked(plan);
      const [operation] = await this.#carryOut([plan]);
      return operation;
    });
  }

  async planRepair(name: string): Promise<ClusterPlan> {
    return planRepair(this.#context, await this.#find(name));
  }

  /**
   * `automatic`: begun by Redrover itself.
   *
   * @returns the operation that repairs; undefined when nothing is to be done.
   */
  async repair(
    name: string,
    fingerprint: string,
    { automatic = false } = {},
  ): Promise<Operation | undefined> {
    return this.#inTurn(async () => {
      const plan = await this.planRepair(name);
      if (plan.fingerprint !== fingerprint)
        throw stalePlan(name, `redrover cluster repair ${name}`);
      if (plan.empty) return undefined;
      refuseBlocked(plan);
      const [operation] = await this.#carryOut([plan], { automatic });
      return operation;
    });
  }

  async planHostChange(change: HostChange): Promise<PlannedHostChange> {
    return planHostChanges(this.#context, change);
  }

  /** All clusters or none; `fingerprints`: of every plan that was shown. */
  async applyHostChange(change: HostChange, fingerprints: readonly string[]): Promise<Operation[]> {
    return this.#inTurn(async () => {
      const planned = await this.planHostChange(change);
      const plans = planned.ok ? planned.plans : [];
      const approved = new Set(fingerprints);
      const same =
        planned.ok &&
        plans.length === approved.size &&
        plans.every(({ fingerprint }) => approved.has(fingerprint));
      if (!same) throw stalePlan(`the clusters on ${change.host}`, commandOf(change));
      plans.forEach(refuseBlocked);
      return this.#carryOut(plans);
    });
  }

  async planRemoval(name: string, purge: boolean): Promise<ClusterPlan> {
    return this.#planner.planRemoval(await this.#find(name), purge);
  }

  async remove(name: string, purge: boolean, fingerprint: string): Promise<Operation> {
    return this.#inTurn(async () => {
      const plan = await this.planRemoval(name, purge);
      if (plan.fingerprint !== fingerprint) throw stalePlan(name, 'redrover cluster rm');
      refuseBlocked(plan);
      const operation = newOperation(plan, { purge });
      await this.#context.store.operations.add(operation, plan.layout.clusterId);
      await this.#begin(operation, plan);
      return operation;
    });
  }

  async list(): Promise<ClusterStatus[]> {
    const records = await this.#context.store.clusters.list();
    return records.map((record) => this.#statusOf(record));
  }

  /** Names of the clusters that have a host under maintenance, by host. */
  async listDrained(): Promise<ReadonlyMap<string, readonly string[]>> {
    const records = await this.#context.store.clusters.list();
    const pairs = records.flatMap(({ name, layout }) =>
      layout.drainedHosts.map((host) => ({ host, name })),
    );
    const byHost = Map.groupBy(pairs, ({ host }) => host);
    return new Map([...byHost].map(([host, of]) => [host, of.map(({ name }) => name)]));
  }

  /** From what was seen last: heartbeats are a second old at the most. */
  async describe(name: string): Promise<ClusterDetails> {
    const record = await this.#find(name);
    const { observations } = this.#context;
    return {
      ...this.#statusOf(record),
      nodes: record.layout.nodes.flatMap(({ key }) => observations.find(key) ?? []),
      findings: examineCluster(await this.#examination(record)),
    };
  }

  /** Asks every node now. */
  async check(name: string): Promise<Examination> {
    const record = await this.#find(name);
    const former = await formerNodes(this.#context, record);
    await observeNodes(this.#context, [...record.layout.nodes, ...former]);
    return checkCluster(await this.#examination(record));
  }

  async readCredentials(name: string): Promise<{ username: string; password: string }> {
    const password = await this.#context.store.clusters.readPassword(name);
    if (password === undefined) throw unknownCluster(name);
    return { username: REDIS_USERNAME, password };
  }

  /** `lines` 0: as many as fit on a few screens. */
  async tailLog(name: string, key: NodeKey, lines: number): Promise<string[]> {
    const { layout } = await this.#find(name);
    const node = layout.nodes.find((candidate) => candidate.key === key);
    if (node === undefined) {
      const keys = layout.nodes.map((candidate) => candidate.key).join(', ');
      throw new RedroverError('not-found', `${name} has no node ${key}; it has ${keys}`);
    }
    if (lines > MAX_LINES) {
      throw new RedroverError('invalid-argument', `lines: got ${lines}, at most ${MAX_LINES}`);
    }
    const value = { node: key, lines: lines === 0 ? DEFAULT_LINES : lines };
    const { result } = await this.#context.agents.command(
      node.host,
      `reading the log of ${key}`,
      { case: 'tailLog', value },
      { timeoutMs: TAIL_TIMEOUT_MS },
    );
    return result.case === 'log' ? result.value.lines : [];
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

  #statusOf(record: ClusterRecord): ClusterStatus {
    const observation = takeSnapshot(this.#context, record.layout.nodes);
    return {
      record,
      health: summarizeCluster(record.layout, observation).health,
      operation: this.#context.operations.findUnderWay(record.name),
    };
  }

  async #examination(record: ClusterRecord): Promise<ExaminationInput> {
    const { layout, clusterId } = record;
    const clusters = await this.#context.store.clusters.list();
    const former = await formerNodes(this.#context, record);
    return {
      layout,
      observation: takeSnapshot(this.#context, [...layout.nodes, ...former]),
      hosts: listPlanningHosts(this.#context, clusters, clusterId),
      now: Date.now(),
    };
  }

  async #find(name: string): Promise<ClusterRecord> {
    const record = await this.#context.store.clusters.find(name);
    if (record === undefined) throw unknownCluster(name);
    return record;
  }

  #inTurn<Result>(action: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(action);
    // The next one has its turn whatever became of this one.
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

function refuseBlocked({ forecast, layout }: ClusterPlan): void {
  if (forecast.blockers.length === 0) return;
  const reasons = forecast.blockers.map(({ message, remedy }) => `${message}; ${remedy}`);
  throw new RedroverError(
    'failed-precondition',
    `the plan for ${layout.cluster} cannot be carried out:\n${reasons.join('\n')}`,
  );
}

function newOperation(
  { kind, layout, reason }: ClusterPlan,
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
  };
}

/** What a person types to see the plan again. */
function commandOf(change: HostChange): string {
  switch (change.kind) {
    case 'drainMove':
      return `redrover host drain ${change.host} --move`;
    case 'replace':
      return `redrover host replace ${change.host} --with ${change.with}`;
    default:
      return `redrover host ${change.kind} ${change.host}`;
  }
}

function stalePlan(name: string, command: string): RedroverError {
  return new RedroverError(
    'stale-plan',
    `hosts, nodes or the spec of ${name} have changed since the plan was made; plan again with ` +
      `\`${command}\` and approve the new plan`,
  );
}

function unknownCluster(name: string): RedroverError {
  return new RedroverError(
    'not-found',
    `there is no cluster ${name}; \`redrover cluster ls\` lists them`,
  );
}
