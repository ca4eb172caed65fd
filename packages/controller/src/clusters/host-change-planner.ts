/**
 * Plans what an operator asks of a host: a next layout for each cluster that it concerns. Where
 * nodes go is core's answer; here clusters are told of each other, as they share hosts.
 */
import {
  DEFAULT_MOVE_OPTIONS,
  describeHostChange,
  planHostChange,
  RedroverError,
  specAfterHostChange,
  type Finding,
  type HostChange,
  type Layout,
} from '@redrover/core';

import { takeSnapshot } from '../agents/snapshot.ts';
import type { ClusterRecord } from '../store/cluster-records.ts';
import { planChange } from './change-plan.ts';
import {
  formerNodes,
  observeNodes,
  refuseUnderWay,
  refuseUnfinished,
  type ClusterPlan,
  type PlannerContext,
  type Refused,
} from './cluster-plan.ts';
import { listPlanningHosts } from './planning-hosts.ts';

/** One plan for each cluster that the change concerns; none: there is nothing to do. */
export type PlannedHostChange =
  | { readonly ok: true; readonly plans: readonly ClusterPlan[] }
  | Refused;

/**
 * Each cluster is planned for as if those before it had changed already: two that move to one host
 * must not get the same port there, nor the same memory.
 *
 * @throws RedroverError `not-found`, or `failed-precondition` beside another operation.
 */
export async function planHostChanges(
  context: PlannerContext,
  change: HostChange,
): Promise<PlannedHostChange> {
  const records = await context.store.clusters.list();
  checkHost(context, change, records);
  const present = records.filter(({ layout }) => hasNodesOn(layout, change.host));
  const open = present.filter((record) => isOpen(change, record, context));
  // Where all have it already, core says what is to be done then.
  const concerned = open.length > 0 ? open : present;
  for (const record of concerned) {
    refuseUnderWay(context, record.name);
    await refuseUnfinished(context, record);
  }
  const layouts = new Map(records.map(({ clusterId, layout }) => [clusterId, layout]));
  const plans: ClusterPlan[] = [];
  const refusals: Finding[] = [];
  const alternatives: string[] = [];
  for (const record of concerned) {
    const planned = await planOne(context, { change, record, layouts });
    if (planned.ok) {
      plans.push(planned.plan);
      layouts.set(record.clusterId, planned.plan.layout);
    } else {
      refusals.push(...planned.refusals);
      alternatives.push(...planned.alternatives);
    }
  }
  if (refusals.length === 0) return { ok: true, plans };
  return { ok: false, refusals, alternatives: [...new Set(alternatives)] };
}

function checkHost(
  { hosts }: PlannerContext,
  { host }: HostChange,
  records: readonly ClusterRecord[],
): void {
  if (hosts.find(host) !== undefined) return;
  if (records.some(({ layout }) => hasNodesOn(layout, host))) return;
  throw new RedroverError(
    'not-found',
    `no host is called ${host}; \`redrover host ls\` lists those that are known`,
  );
}

function hasNodesOn({ nodes }: Layout, host: string): boolean {
  return nodes.some((node) => node.host === host);
}

/** Whether a cluster with nodes on the host does not have the change yet. */
function isOpen(
  { kind, host }: HostChange,
  { layout }: ClusterRecord,
  { hosts }: PlannerContext,
): boolean {
  switch (kind) {
    case 'drain':
      return !layout.drainedHosts.includes(host);
    case 'undrain':
      return layout.drainedHosts.includes(host);
    case 'readdress': {
      const address = hosts.find(host)?.address;
      return layout.nodes.some((node) => node.host === host && node.address !== address);
    }
    case 'drainMove':
    case 'replace':
      return true;
  }
}

interface OneChange {
  readonly change: HostChange;
  readonly record: ClusterRecord;
  /** By cluster id: in force, or planned for by this very change. */
  readonly layouts: ReadonlyMap<string, Layout>;
}

async function planOne(
  context: PlannerContext,
  { change, record, layouts }: OneChange,
): Promise<{ readonly ok: true; readonly plan: ClusterPlan } | Refused> {
  const { layout, spec, clusterId } = record;
  const earlier = await formerNodes(context, record);
  const present = [...layout.nodes, ...earlier];
  await observeNodes(context, present);
  const clusters = [...layouts].map(([id, of]) => ({ clusterId: id, layout: of }));
  const hosts = listPlanningHosts(context, clusters, clusterId);
  const observation = takeSnapshot(context, present);
  const number = layout.number + 1;
  const planned = planHostChange({ change, spec, layout, hosts, observation, number });
  if (!planned.ok) return planned;
  const next = planned.layout;
  const plan = await planChange(context, {
    record,
    layout: next,
    spec: specAfterHostChange(spec, change, { before: layout, after: next }),
    reason: describeHostChange(change),
    move: DEFAULT_MOVE_OPTIONS,
    findings: planned.findings,
  });
  return { ok: true, plan: { ...plan, empty: false } };
}
