/**
 * Plans clusters: gathers what placement and planning need, from the state of this moment, and
 * puts their answers together. Nothing is stored or changed here.
 */
import { randomUUID } from 'node:crypto';

import {
  findLeftAlone,
  forecastSteps,
  formatSpec,
  formatSpecProblem,
  isAcceptable,
  lintLayout,
  parseSpec,
  planLayout,
  RedroverError,
  type ClusterSpec,
  type Finding,
  type Forecast,
  type Host,
  type Layout,
  type OperationKind,
  type Release,
} from '@redrover/core';

import type { Agents } from '../agents/agents.ts';
import { takeSnapshot, type Seen } from '../agents/snapshot.ts';
import type { Operations } from '../operations/operations.ts';
import type { Releases } from '../releases/releases.ts';
import type { ClusterRecord } from '../store/cluster-records.ts';
import type { Store } from '../store/store.ts';
import { canonicalJson, fingerprintPlan } from './fingerprint.ts';
import { listPlanningHosts } from './planning-hosts.ts';

export interface PlannerContext extends Seen {
  readonly agents: Agents;
  readonly operations: Operations;
  readonly releases: Releases;
  readonly store: Store;
}

export interface ClusterPlan {
  readonly kind: OperationKind;
  readonly layout: Layout;
  readonly release: Release;
  readonly forecast: Forecast;
  readonly findings: readonly Finding[];
  readonly fingerprint: string;
  /** Nothing would change. */
  readonly empty: boolean;
}

export type PlannedCluster =
  | { readonly ok: true; readonly plan: ClusterPlan }
  | {
      readonly ok: false;
      readonly refusals: readonly Finding[];
      readonly alternatives: readonly string[];
    };

export class ClusterPlanner {
  readonly #context: PlannerContext;

  constructor(context: PlannerContext) {
    this.#context = context;
  }

  /**
   * Plans for what the spec asks. With an approved layout that one is planned for, as long as it
   * may still become current: ports that were freed since then are no reason to place anew.
   *
   * @throws RedroverError `invalid-argument`, `not-found` (release) or `failed-precondition`.
   */
  async plan(given: ClusterSpec, approved?: Layout): Promise<PlannedCluster> {
    const spec = checkSpec(given);
    const record = await this.#context.store.clusters.find(spec.name);
    return record === undefined ? this.#planNew(spec, approved) : this.#planExisting(spec, record);
  }

  async #planNew(spec: ClusterSpec, approved: Layout | undefined): Promise<PlannedCluster> {
    const { store, releases } = this.#context;
    const release = await releases.resolve(spec.release);
    // The same plan twice has the same id, and so the same fingerprint.
    const clusterId =
      approved?.clusterId ?? (await store.plans.newestClusterId(spec.name)) ?? randomUUID();
    const hosts = listPlanningHosts(this.#context, await store.clusters.list(), clusterId);
    const placed =
      approved === undefined
        ? planLayout({ spec, hosts, current: undefined, clusterId, number: 1 })
        : keepApproved(approved, hosts);
    if (!placed.ok) return placed;
    const { layout, findings } = placed;
    const forecast = await this.#forecast(layout, release);
    const plan = this.#toPlan({ spec, layout, release, forecast, currentLayoutNumber: 0 });
    return { ok: true, plan: { ...plan, findings: [...findings, ...plan.findings] } };
  }

  /** The same spec again: nothing to do, or a creation that was cut short goes on. */
  async #planExisting(spec: ClusterSpec, record: ClusterRecord): Promise<PlannedCluster> {
    const { layout, release } = record;
    refuseChanges(spec, record);
    this.#refuseUnderWay(spec.name);
    const isCreated = await this.#context.store.operations.hasDone(record.clusterId, 'create');
    const forecast = isCreated ? NOTHING_TO_DO : await this.#forecast(layout, release);
    const currentLayoutNumber = layout.number;
    const plan = this.#toPlan({ spec, layout, release, forecast, currentLayoutNumber });
    return { ok: true, plan: { ...plan, empty: isCreated } };
  }

  async #forecast(layout: Layout, release: Release): Promise<Forecast> {
    await this.observe(layout);
    const observation = takeSnapshot(this.#context, layout);
    const now = Date.now();
    const kind = 'create';
    return forecastSteps({ layout, release, kind, former: [], purge: false, observation, now });
  }

  #toPlan(made: {
    readonly spec: ClusterSpec;
    readonly layout: Layout;
    readonly release: Release;
    readonly forecast: Forecast;
    readonly currentLayoutNumber: number;
  }): ClusterPlan {
    const { layout, release, forecast } = made;
    const observation = takeSnapshot(this.#context, layout);
    return {
      kind: 'create',
      layout,
      release,
      forecast,
      findings: forecast.blockers,
      fingerprint: fingerprintPlan({ ...made, kind: 'create', purge: false, observation }),
      empty: false,
    };
  }

  async planRemoval(record: ClusterRecord, purge: boolean): Promise<ClusterPlan> {
    const { layout, release, spec } = record;
    this.#refuseUnderWay(record.name);
    await this.observe(layout);
    const observation = takeSnapshot(this.#context, layout);
    const kind = 'remove';
    const now = Date.now();
    const input = { layout, release, kind, former: [], purge, observation, now } as const;
    const forecast = forecastSteps(input);
    const facts = { kind, purge, spec, layout, release, observation } as const;
    const fingerprint = fingerprintPlan({ ...facts, currentLayoutNumber: layout.number });
    const findings = [...forecast.blockers, ...findLeftAlone({ layout, observation })];
    return { kind, layout, release, forecast, findings, fingerprint, empty: false };
  }

  /** Hosts that do not answer are seen as such by whoever reads the snapshot. */
  async observe(layout: Layout): Promise<void> {
    const { agents, hosts } = this.#context;
    const online = layout.nodes.filter((node) => hosts.find(node.host)?.status === 'online');
    const keys = Map.groupBy(online, (node) => node.host);
    await agents.observe(
      new Map([...keys].map(([host, nodes]) => [host, nodes.map((node) => node.key)])),
    );
  }

  #refuseUnderWay(name: string): void {
    const operation = this.#context.operations.findUnderWay(name);
    if (operation === undefined) return;
    throw new RedroverError(
      'failed-precondition',
      `operation ${operation.id} (${operation.kind}) on ${name} is ${operation.state}; follow it ` +
        `with \`redrover op watch ${operation.id}\`, or cancel it first`,
      { context: { operation: operation.id } },
    );
  }
}

const NOTHING_TO_DO: Forecast = { rounds: [], waits: [], blockers: [], complete: true };

function keepApproved(layout: Layout, hosts: readonly Host[]) {
  const findings = lintLayout(layout, hosts);
  const moved = layout.nodes.some(
    (node) => hosts.find(({ name }) => name === node.host)?.address !== node.address,
  );
  return moved || !isAcceptable(findings)
    ? ({ ok: false, refusals: findings, alternatives: [] } as const)
    : ({ ok: true, layout, findings } as const);
}

/** A message that another program built gets the same checks as a file that a person wrote. */
export function checkSpec(given: ClusterSpec): ClusterSpec {
  const parsed = parseSpec(formatSpec(given));
  if (parsed.ok) return parsed.spec;
  const problems = parsed.problems.map(formatSpecProblem);
  throw new RedroverError('invalid-argument', `the spec is not valid:\n${problems.join('\n')}`);
}

function refuseChanges(spec: ClusterSpec, record: ClusterRecord): void {
  const fields = Object.keys({ ...record.spec, ...spec }) as (keyof ClusterSpec)[];
  const changed = fields.filter(
    (field) => canonicalJson({ v: spec[field] }) !== canonicalJson({ v: record.spec[field] }),
  );
  if (changed.length === 0) return;
  throw new RedroverError(
    'failed-precondition',
    `cluster ${spec.name} exists with another spec (${changed.join(', ')} differ), and changing a ` +
      'running cluster is not supported yet: it comes with `redrover cluster scale`; put the spec ' +
      'back as it was, or give the new cluster another name',
    { context: { changed: changed.join(', ') } },
  );
}
