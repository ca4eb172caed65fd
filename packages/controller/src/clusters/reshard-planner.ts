/**
 * Plans what an operator asks of slots: a next layout of the cluster. Which slots go where is core's
 * answer; here it is told where they are, and what is in them.
 */
import {
  describeReshard,
  ownedSlots,
  planReshard,
  specAfterReshard,
  type Finding,
  type Layout,
  type LayoutPlan,
  type MoveOptions,
  type Reshard,
  type SlotSurvey,
} from '@redrover/core';

import type { ClusterRecord } from '../store/cluster-records.ts';
import { planChange } from './change-plan.ts';
import {
  refuseUnderWay,
  refuseUnfinished,
  type ClusterPlan,
  type PlannedCluster,
  type PlannerContext,
} from './cluster-plan.ts';
import { listPlanningHosts } from './planning-hosts.ts';
import { observeCluster, type ClusterSight } from './repair-planner.ts';
import { surveySlots } from './slot-surveys.ts';

export interface ReshardWish {
  readonly cluster: string;
  readonly change: Reshard;
  readonly move: MoveOptions;
}

export interface ReshardRequest extends ReshardWish {
  readonly record: ClusterRecord;
  /** What a person has approved: a survey a moment later may find a key more. */
  readonly approved?: Layout | undefined;
  /** The same, with all that was shown of it. */
  readonly shown?: ClusterPlan | undefined;
}

/** @throws RedroverError `failed-precondition` beside another operation, or before the creation was finished. */
export async function planReshardOf(
  context: PlannerContext,
  { record, change, move, approved, shown }: ReshardRequest,
): Promise<PlannedCluster> {
  refuseUnderWay(context, record.name);
  await refuseUnfinished(context, record);
  const sight = await observeCluster(context, record);
  const isSurveyed = change.kind === 'rebalance' && change.by !== 'slots';
  const planned: LayoutPlan =
    isSurveyed && approved !== undefined
      ? { ok: true, layout: approved, findings: [], quality: undefined }
      : await planNext(context, { record, change, sight, isSurveyed });
  if (!planned.ok) return planned;
  const { layout, findings } = planned;
  const spec = specAfterReshard(record.spec, { before: record.layout, after: layout });
  const reason = describeReshard(change);
  const next = { record, layout, spec, reason, move, findings };
  const plan = await planChange(context, next, shown);
  // What the layout in force wants besides is a repair's to do, which says so.
  const isSame = layout.number === record.layout.number;
  return { ok: true, plan: { ...plan, empty: plan.empty || isSame } };
}

async function planNext(
  context: PlannerContext,
  asked: Pick<ReshardRequest, 'record' | 'change'> & {
    readonly sight: ClusterSight;
    readonly isSurveyed: boolean;
  },
): Promise<LayoutPlan> {
  const { record, change, sight, isSurveyed } = asked;
  const { layout, release, spec, clusterId } = record;
  const { former, observation } = sight;
  const surveys = isSurveyed ? await surveyAll(context, record, sight) : undefined;
  const planned = planReshard({
    change,
    spec,
    layout,
    hosts: listPlanningHosts(context, await context.store.clusters.list(), clusterId),
    ownedSlots: ownedSlots({ layout, release, former, observation, now: Date.now() }),
    stats: surveys?.flatMap(({ slots }) => slots),
    observation,
    number: layout.number + 1,
  });
  const estimated = tellEstimated(record.name, surveys ?? []);
  return planned.ok ? { ...planned, findings: [...planned.findings, ...estimated] } : planned;
}

/** Other sizes than these may be true, and another rebalance might move a few slots more. */
export function tellEstimated(cluster: string, surveys: readonly SlotSurvey[]): Finding[] {
  const sampled = surveys.filter(({ complete }) => !complete);
  if (sampled.length === 0) return [];
  return [
    {
      rule: 'loads-estimated',
      severity: 'info',
      subject: cluster,
      message: 'Not every key was looked at: shares are of estimated sizes.',
      evidence: sampled.map(({ node, keysSampled, slots }) => {
        const keys = slots.reduce((sum, slot) => sum + slot.keys, 0);
        return `${node}: ${keysSampled.toLocaleString('en')} of ${keys.toLocaleString('en')} keys`;
      }),
      remedy: 'Rebalance once more afterwards: what is even by then needs no move.',
    },
  ];
}

/** Of every slot that a master says is its own. */
async function surveyAll(
  context: PlannerContext,
  { layout }: ClusterRecord,
  { former, observation }: ClusterSight,
): Promise<SlotSurvey[]> {
  const requests = [...layout.nodes, ...former].flatMap(({ key, host }) => {
    const redis = observation.nodes[key]?.redis;
    const self = redis?.view.nodes.find(({ nodeId }) => nodeId === redis.nodeId);
    const slots = redis?.role === 'master' ? (self?.slots ?? []) : [];
    return [{ node: key, host, slots }];
  });
  return surveySlots(context, requests);
}
