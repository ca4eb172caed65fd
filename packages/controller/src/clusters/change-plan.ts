/**
 * The plan that makes another layout of a cluster real, whatever it is for: what would be done, and
 * what it was computed from. The layout itself is placement's answer.
 */
import {
  ORPHAN_KEYS_AT_TARGET,
  type ClusterSpec,
  type Finding,
  type Forecast,
  type Layout,
  type MoveOptions,
} from '@redrover/core';

import { takeSnapshot } from '../agents/snapshot.ts';
import { formerNodesOf, type ClusterRecord } from '../store/cluster-records.ts';
import {
  formerNodes,
  observeNodes,
  type ClusterPlan,
  type PlannerContext,
} from './cluster-plan.ts';
import { fingerprintPlan } from './fingerprint.ts';
import { forecastSteps } from './forecast.ts';

export interface Change {
  readonly record: ClusterRecord;
  /** The one that comes into force; the present one where only the spec changes. */
  readonly layout: Layout;
  /** As it is from then on. */
  readonly spec: ClusterSpec;
  /** As people say what it is for. */
  readonly reason: string;
  readonly move: MoveOptions;
  /** Of whoever made the layout. */
  readonly findings: readonly Finding[];
}

/**
 * The caller has just asked the nodes of the layout in force and of those before it; here the new
 * ones are asked. `approved`: a plan that was shown, which is the answer if nothing has moved.
 */
export async function planChange(
  context: PlannerContext,
  change: Change,
  approved?: ClusterPlan,
): Promise<ClusterPlan> {
  const { record, layout, spec, reason, move } = change;
  const { release } = record;
  const earlier = await formerNodes(context, record);
  const former = formerNodesOf([{ nodes: earlier }, record.layout, layout]);
  const nodes = [...layout.nodes, ...former];
  const asked = new Set([...record.layout.nodes, ...earlier].map(({ key }) => key));
  const added = nodes.filter(({ key }) => !asked.has(key));
  if (added.length > 0) await observeNodes(context, added);
  const observation = takeSnapshot(context, nodes);
  const facts = { layout, release, kind: 'change', purge: false, former, observation } as const;
  const currentLayoutNumber = record.layout.number;
  const fingerprint = fingerprintPlan({ ...facts, spec, move, currentLayoutNumber });
  if (approved?.fingerprint === fingerprint) return approved;
  const forecast = await forecastSteps({ ...facts, move, now: Date.now() });
  const staying = findStaying(forecast);
  return {
    kind: 'change',
    layout,
    spec,
    release,
    former,
    forecast,
    findings: [...change.findings, ...forecast.blockers, ...staying],
    fingerprint,
    empty: forecast.complete && forecast.rounds.length === 0 && staying.length === 0,
    currentLayoutNumber,
    reason,
    move,
    moves: [],
  };
}

/** Slots that are asked for and stay where they are; where nothing else is asked for, that is a refusal. */
function findStaying({ rounds, decisions }: Forecast): Finding[] {
  const staying = decisions.filter(({ rule }) => rule === ORPHAN_KEYS_AT_TARGET);
  return rounds.length > 0
    ? staying
    : staying.map((finding) => ({ ...finding, severity: 'critical' as const }));
}
