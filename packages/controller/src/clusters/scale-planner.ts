/**
 * Plans for a spec that asks for more or fewer shards or replicas of a cluster that exists, or that
 * places them by other rules. Where nodes and slots go is core's answer.
 */
import {
  describeSpecChange,
  ownedSlots,
  planLayout,
  type ClusterSpec,
  type Finding,
  type MoveOptions,
} from '@redrover/core';

import type { ClusterRecord } from '../store/cluster-records.ts';
import { planChange } from './change-plan.ts';
import type { PlannedCluster, PlannerContext } from './cluster-plan.ts';
import { listPlanningHosts } from './planning-hosts.ts';
import { observeCluster } from './repair-planner.ts';

export interface ScaleRequest {
  readonly record: ClusterRecord;
  readonly spec: ClusterSpec;
  readonly move: MoveOptions;
  /** What people should know of what the spec says besides. */
  readonly notes: readonly Finding[];
}

/** @returns an empty plan where the spec is only to be saved. */
export async function planScale(
  context: PlannerContext,
  { record, spec, move, notes }: ScaleRequest,
): Promise<PlannedCluster> {
  const { store } = context;
  const { layout: current, release, clusterId } = record;
  const { former, observation } = await observeCluster(context, record);
  const placed = planLayout({
    spec,
    hosts: listPlanningHosts(context, await store.clusters.list(), clusterId),
    current,
    clusterId,
    number: current.number + 1,
    usedShardIds: await store.clusters.listShardIds(clusterId, current.number),
    ownedSlots: ownedSlots({ layout: current, release, former, observation, now: Date.now() }),
    observation,
  });
  if (!placed.ok) return placed;
  const { layout } = placed;
  const findings = [...notes, ...placed.findings];
  const reason = describeSpecChange(record.spec, spec);
  const change = { record, layout, spec, reason, move, findings };
  return { ok: true, plan: await planChange(context, change) };
}
