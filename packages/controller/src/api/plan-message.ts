/** Plans and refusals as the API tells them. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { PlanClusterResponseSchema, PlanSchema } from '@redrover/proto';
import { findingToProto, layoutToProto, operationKindToProto, stepToProto } from '@redrover/wire';

import type { ClusterPlan, PlannedCluster } from '../clusters/cluster-planner.ts';

export function planToProto(plan: ClusterPlan): MessageInitShape<typeof PlanSchema> {
  return {
    layout: layoutToProto(plan.layout),
    kind: operationKindToProto(plan.kind),
    rounds: plan.forecast.rounds.map((steps) => ({ steps: steps.map(stepToProto) })),
    findings: plan.findings.map(findingToProto),
    fingerprint: plan.fingerprint,
    empty: plan.empty,
  };
}

export function plannedToProto(
  planned: PlannedCluster,
): MessageInitShape<typeof PlanClusterResponseSchema> {
  if (planned.ok) return { result: { case: 'plan', value: planToProto(planned.plan) } };
  const { refusals, alternatives } = planned;
  const value = { reasons: refusals.map(findingToProto), alternatives: [...alternatives] };
  return { result: { case: 'refusal', value } };
}
