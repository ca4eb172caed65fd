/**
 * Plans what a spec asks for, and removals: gathers what placement and planning need, from the
 * state of this moment, and puts their answers together. Nothing is stored or changed here.
 */
import { randomUUID } from 'node:crypto';

import {
  DEFAULT_MOVE_OPTIONS,
  findLeftAlone,
  isAcceptable,
  lintLayout,
  planLayout,
  type ClusterSpec,
  type Finding,
  type Forecast,
  type Host,
  type Layout,
  type MoveOptions,
  type Release,
} from '@redrover/core';

import { takeSnapshot } from '../agents/snapshot.ts';
import type { ClusterRecord } from '../store/cluster-records.ts';
import {
  formerNodes,
  observeNodes,
  refuseUnderWay,
  type ClusterPlan,
  type PlannedCluster,
  type PlannerContext,
} from './cluster-plan.ts';
import { fingerprintPlan } from './fingerprint.ts';
import { forecastSteps } from './forecast.ts';
import { listPlanningHosts } from './planning-hosts.ts';
import { forecastRepair, observeCluster } from './repair-planner.ts';
import { mayNeedRepair } from './repair-signs.ts';
import { planScale, type ScaleRequest } from './scale-planner.ts';
import {
  changedFields,
  checkSpec,
  tellOutdated,
  needsNoWork,
  refuseBeforeCreated,
  refuseUnsupported,
} from './spec-changes.ts';

/** What a person has approved, as far as it is still known. */
export interface ApprovedPlan {
  /** Of a cluster that is to be made. */
  readonly layout?: Layout | undefined;
  /** Of one that exists. */
  readonly plan?: ClusterPlan | undefined;
}

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
  async plan(
    given: ClusterSpec,
    move: MoveOptions,
    approved: ApprovedPlan = {},
  ): Promise<PlannedCluster> {
    const spec = checkSpec(given);
    const record = await this.#context.store.clusters.find(spec.name);
    if (record === undefined) return this.#planNew(spec, approved.layout);
    const changed = changedFields(spec, record.spec);
    return needsNoWork(changed)
      ? this.#planSame(spec, record, changed)
      : this.#planOther({ spec, record, move, approved: approved.plan });
  }

  async #planNew(spec: ClusterSpec, approved: Layout | undefined): Promise<PlannedCluster> {
    const { store, releases } = this.#context;
    const release = await releases.resolve(spec.release);
    // The same plan twice has the same id, and so the same fingerprint.
    const clusterId =
      approved?.clusterId ?? (await store.plans.newestClusterId(spec.name)) ?? randomUUID();
    const hosts = listPlanningHosts(this.#context, await store.clusters.list(), clusterId);
    const number = await store.clusters.nextLayoutNumber(spec.name);
    const placed =
      approved === undefined
        ? planLayout({ spec, hosts, current: undefined, clusterId, number })
        : keepApproved(approved, hosts);
    if (!placed.ok) return placed;
    const { layout, findings } = placed;
    const plan = await this.#planCreation({ spec, layout, release, currentLayoutNumber: 0 });
    return { ok: true, plan: { ...plan, findings: [...findings, ...plan.findings] } };
  }

  /** The same spec again: nothing to do, or a creation that was cut short goes on. */
  async #planSame(
    spec: ClusterSpec,
    record: ClusterRecord,
    changed: readonly (keyof ClusterSpec)[],
  ): Promise<PlannedCluster> {
    const { layout, release, clusterId } = record;
    const { operations } = this.#context.store;
    refuseUnderWay(this.#context, spec.name);
    const isCreated = await operations.hasDone(clusterId, 'create');
    const made = { spec, layout, release, currentLayoutNumber: layout.number };
    const plan = await this.#planCreation(made, isCreated);
    const findings = isCreated ? await this.#findNotDone(record, changed) : [];
    const all = [...plan.findings, ...findings];
    return { ok: true, plan: { ...plan, findings: all, empty: isCreated } };
  }

  /** Another size, or other rules of placement. */
  async #planOther(request: ScaleRequest): Promise<PlannedCluster> {
    const { spec, record } = request;
    refuseUnsupported(spec, record);
    refuseUnderWay(this.#context, spec.name);
    const isCreated = await this.#context.store.operations.hasDone(record.clusterId, 'create');
    if (!isCreated) refuseBeforeCreated(spec, record);
    const planned = await planScale(this.#context, request);
    if (!planned.ok) {
      const hasMoved = (await formerNodes(this.#context, record)).length > 0;
      const outdated = tellOutdated(spec, record, hasMoved);
      return { ...planned, refusals: [...planned.refusals, ...outdated] };
    }
    const { plan } = planned;
    if (!plan.empty) return planned;
    const note = savedOnly(record.name, changedFields(spec, record.spec));
    return { ok: true, plan: { ...plan, findings: [...plan.findings, note] } };
  }

  /** What a person who applies a spec again might expect to happen, and does not. */
  async #findNotDone(
    record: ClusterRecord,
    changed: readonly (keyof ClusterSpec)[],
  ): Promise<Finding[]> {
    const findings = changed.length === 0 ? [] : [savedOnly(record.name, changed)];
    const sight = await observeCluster(this.#context, record);
    // Cheap, where a forecast for a thousand nodes takes seconds.
    if (!mayNeedRepair({ layout: record.layout, ...sight })) return findings;
    const { forecast } = await forecastRepair(record, sight);
    const steps = forecast.rounds.flat().length;
    return steps === 0 ? findings : [...findings, repairNeeded(record.name, forecast)];
  }

  async #planCreation(
    made: {
      readonly spec: ClusterSpec;
      readonly layout: Layout;
      readonly release: Release;
      readonly currentLayoutNumber: number;
    },
    isCreated = false,
  ): Promise<ClusterPlan> {
    const { layout, release } = made;
    if (!isCreated) await observeNodes(this.#context, layout.nodes);
    const observation = takeSnapshot(this.#context, layout.nodes);
    const move = DEFAULT_MOVE_OPTIONS;
    const seen = { kind: 'create', former: [], purge: false, move, observation } as const;
    const forecast = isCreated
      ? NOTHING_TO_DO
      : await forecastSteps({ layout, release, ...seen, now: Date.now() });
    return {
      ...made,
      kind: 'create',
      former: [],
      forecast,
      move,
      moves: [],
      findings: forecast.blockers,
      fingerprint: fingerprintPlan({ ...made, ...seen }),
      empty: false,
      reason: '',
    };
  }

  async planRemoval(record: ClusterRecord, purge: boolean): Promise<ClusterPlan> {
    const { layout, release, spec } = record;
    refuseUnderWay(this.#context, record.name);
    const former = await formerNodes(this.#context, record);
    const nodes = [...layout.nodes, ...former];
    await observeNodes(this.#context, nodes);
    const observation = takeSnapshot(this.#context, nodes);
    const move = DEFAULT_MOVE_OPTIONS;
    const input = { layout, release, kind: 'remove', former, purge, move, observation } as const;
    const forecast = await forecastSteps({ ...input, now: Date.now() });
    const currentLayoutNumber = layout.number;
    return {
      kind: 'remove',
      layout,
      spec,
      release,
      former,
      forecast,
      findings: [...forecast.blockers, ...findLeftAlone({ layout, observation })],
      fingerprint: fingerprintPlan({ ...input, spec, currentLayoutNumber }),
      empty: false,
      currentLayoutNumber,
      reason: '',
      move,
      moves: [],
    };
  }
}

const NOTHING_TO_DO: Forecast = {
  rounds: [],
  waits: [],
  blockers: [],
  decisions: [],
  complete: true,
};

function keepApproved(layout: Layout, hosts: readonly Host[]) {
  const findings = lintLayout(layout, hosts);
  const moved = layout.nodes.some(
    (node) => hosts.find(({ name }) => name === node.host)?.address !== node.address,
  );
  return moved || !isAcceptable(findings)
    ? ({ ok: false, refusals: findings, alternatives: [] } as const)
    : ({ ok: true, layout, findings } as const);
}

function savedOnly(cluster: string, changed: readonly (keyof ClusterSpec)[]): Finding {
  return {
    rule: 'spec-saved-only',
    severity: 'info',
    subject: cluster,
    message: `Only ${changed.join(' and ')} would change: applying saves the spec, and no node is touched.`,
    evidence: [],
    remedy: '',
  };
}

function repairNeeded(cluster: string, forecast: Forecast): Finding {
  const steps = forecast.rounds.flat().map((step) => `${step.kind} on ${step.host}`);
  const shown = [...new Set(steps)].slice(0, MAX_STEPS_SHOWN);
  return {
    rule: 'repair-needed',
    severity: 'warning',
    subject: cluster,
    message: `Cluster ${cluster} is not as its layout wants it; applying its spec does not change that.`,
    evidence: shown,
    remedy: `See what would be done, and do it: redrover cluster repair ${cluster}`,
  };
}

/** Enough to see what it is about; the repair shows its own plan. */
const MAX_STEPS_SHOWN = 10;
