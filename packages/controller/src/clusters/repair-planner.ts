/** Plans repairs: what it takes to make the layout in force real again. */
import {
  findLeftForLater,
  forecastSteps,
  type Finding,
  type Forecast,
  type LayoutNode,
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

/**
 * What can be repaired now; what cannot is told in the plan's findings.
 *
 * @throws RedroverError `failed-precondition` beside another operation, or before the creation
 *   was finished.
 */
export async function planRepair(
  context: PlannerContext,
  record: ClusterRecord,
): Promise<ClusterPlan> {
  refuseUnderWay(context, record.name);
  await refuseUnfinished(context, record);
  const { layout, release, spec } = record;
  const foreseen = await forecastRepair(context, record);
  const { forecast, former, observation, leftForLater } = foreseen;
  const facts = {
    kind: 'repair',
    purge: false,
    spec,
    layout,
    former,
    release,
    observation,
  } as const;
  const { rounds, complete } = forecast;
  return {
    kind: 'repair',
    layout,
    spec,
    release,
    forecast,
    findings: [...forecast.blockers, ...leftForLater],
    fingerprint: fingerprintPlan({ ...facts, currentLayoutNumber: layout.number }),
    empty: complete && rounds.length === 0,
    currentLayoutNumber: layout.number,
    reason: '',
  };
}

export interface RepairForecast {
  readonly forecast: Forecast;
  readonly former: readonly LayoutNode[];
  readonly observation: Observation;
  /** What cannot be repaired now. */
  readonly leftForLater: readonly Finding[];
}

/** Asks every node first. */
export async function forecastRepair(
  context: PlannerContext,
  record: ClusterRecord,
): Promise<RepairForecast> {
  const { layout, release } = record;
  const former = await formerNodes(context, record);
  const nodes = [...layout.nodes, ...former];
  await observeNodes(context, nodes);
  const observation = takeSnapshot(context, nodes);
  const seen = { former, observation, now: Date.now() };
  const input = { layout, release, kind: 'repair', purge: false, ...seen } as const;
  const leftForLater = findLeftForLater(input);
  return { forecast: forecastSteps(input), leftForLater, former, observation };
}
