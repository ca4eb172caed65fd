/**
 * Plans for a spec that asks for more or fewer shards or replicas of a cluster that exists, or that
 * places them by other rules. Where nodes and slots go is core's answer.
 */
import {
  describeSpecChange,
  ownedSlots,
  planLayout,
  type ClusterSpec,
  type MoveOptions,
} from '@redrover/core';

import type { ClusterRecord } from '../store/cluster-records.ts';
import { planChange } from './change-plan.ts';
import type { ClusterPlan, PlannedCluster, PlannerContext } from './cluster-plan.ts';
import { listPlanningHosts } from './planning-hosts.ts';
import { observeCluster } from './repair-planner.ts';

export interface ScaleRequest {
  readonly record: ClusterRecord;
  readonly spec: ClusterSpec;
  readonly move: MoveOptions;
  /** What was shown to whoever approves it. */
  readonly approved: ClusterPlan | undefined;
}

/** @returns an empty plan where the spec is only to be saved. */
export async function planScale(
  context: PlannerContext,
  { record, spec, move, approved }: ScaleRequest,
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
  const { findings } = placed;
  const reason = describeSpecChange(record.spec, spec);
  const change = { record, layout, spec, reason, move, findings };
  return { ok: true, plan: await planChange(context, change, approved) };
}
