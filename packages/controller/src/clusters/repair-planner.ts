/** Plans repairs: what it takes to make the layout in force real again. */
import {
  DEFAULT_MOVE_OPTIONS,
  findLeftForLater,
  type Finding,
  type Forecast,
  type LayoutNode,
  type MoveOptions,
  type Observation,
} from '@redrover/core';

import { takeSnapshot } from '../agents/snapshot.ts';
import type { ClusterRecord } from '../store/cluster-records.ts';
import {
  formerNodes,
  observeNodes,
  refuseUnderWay,
  refuseUnfinished,
  type ClusterPlan,
  type PlannerContext,
} from './cluster-plan.ts';
import { fingerprintPlan } from './fingerprint.ts';
import { forecastSteps } from './forecast.ts';

/**
 * What can be repaired now; what cannot is told in the plan's findings.
 *
 * @throws RedroverError `failed-precondition` beside another operation, or before the creation
 *   was finished.
 */
export async function planRepair(
  context: PlannerContext,
  record: ClusterRecord,
  move: MoveOptions,
  approved?: ClusterPlan,
): Promise<ClusterPlan> {
  refuseUnderWay(context, record.name);
  await refuseUnfinished(context, record);
  const { layout, release, spec } = record;
  const sight = await observeCluster(context, record);
  const facts = { kind: 'repair', purge: false, spec, layout, release, move, ...sight } as const;
  const fingerprint = fingerprintPlan({ ...facts, currentLayoutNumber: layout.number });
  if (approved?.fingerprint === fingerprint) return approved;
  const { forecast, leftForLater } = await forecastRepair(record, sight, move);
  const { rounds, complete } = forecast;
  return {
    kind: 'repair',
    layout,
    spec,
    release,
    former: sight.former,
    forecast,
    findings: [...forecast.blockers, ...leftForLater],
    fingerprint,
    empty: complete && rounds.length === 0,
    currentLayoutNumber: layout.number,
    reason: '',
    move,
    moves: [],
  };
}

export interface ClusterSight {
  /** Nodes of earlier layouts. */
  readonly former: readonly LayoutNode[];
  readonly observation: Observation;
}

/** Asks every node. */
export async function observeCluster(
  context: PlannerContext,
  record: ClusterRecord,
): Promise<ClusterSight> {
  const former = await formerNodes(context, record);
  const nodes = [...record.layout.nodes, ...former];
  await observeNodes(context, nodes);
  return { former, observation: takeSnapshot(context, nodes) };
}

export interface RepairForecast {
  readonly forecast: Forecast;
  /** What cannot be repaired now. */
  readonly leftForLater: readonly Finding[];
}

export async function forecastRepair(
  { layout, release }: ClusterRecord,
  sight: ClusterSight,
  move: MoveOptions = DEFAULT_MOVE_OPTIONS,
): Promise<RepairForecast> {
  const facts = { layout, release, kind: 'repair', purge: false, ...sight } as const;
  const input = { ...facts, move, now: Date.now() };
  return { forecast: await forecastSteps(input), leftForLater: findLeftForLater(input) };
}
