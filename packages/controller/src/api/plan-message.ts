/** Plans and refusals as the API tells them. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Step } from '@redrover/core';
import type { PlanSchema, RefusalSchema } from '@redrover/proto';
import {
  findingToProto,
  layoutToProto,
  operationKindToProto,
  plannedMoveToProto,
  stepToProto,
} from '@redrover/wire';

import type { ClusterPlan, PlannedCluster, Refused } from '../clusters/cluster-plan.ts';

/**
 * Whom each node meets and each host probes grows with the square of the nodes: of 1,000 that are
 * 27 MiB, and a message holds 16. In larger plans these lists are left out; it is always all nodes
 * of the layout, which is told.
 */
const MAX_NODES_WITH_PEERS = 500;

export function planToProto(plan: ClusterPlan): MessageInitShape<typeof PlanSchema> {
  const isLarge = plan.layout.nodes.length > MAX_NODES_WITH_PEERS;
  return {
    layout: layoutToProto(plan.layout),
    kind: operationKindToProto(plan.kind),
    rounds: plan.forecast.rounds.map((steps) => ({
      steps: steps.map((step) => stepToProto(isLarge ? withoutPeers(step) : step)),
    })),
    findings: plan.findings.map(findingToProto),
    fingerprint: plan.fingerprint,
    empty: plan.empty,
    moves: plan.moves.map(plannedMoveToProto),
    reason: plan.reason,
  };
}

function withoutPeers(step: Step): Step {
  if (step.kind === 'meetNodes') return { ...step, peers: [] };
  return step.kind === 'probeMesh' ? { ...step, targets: [] } : step;
}

/** What every request for the plan of one cluster is answered with. */
export type PlanAnswer =
  | { readonly case: 'plan'; readonly value: MessageInitShape<typeof PlanSchema> }
  | { readonly case: 'refusal'; readonly value: MessageInitShape<typeof RefusalSchema> };

export function plannedToProto(planned: PlannedCluster): { result: PlanAnswer } {
  if (planned.ok) return { result: { case: 'plan', value: planToProto(planned.plan) } };
  return { result: { case: 'refusal', value: refusalToProto(planned) } };
}

export function refusalToProto({
  refusals,
  alternatives,
}: Refused): MessageInitShape<typeof RefusalSchema> {
  return { reasons: refusals.map(findingToProto), alternatives: [...alternatives] };
}
