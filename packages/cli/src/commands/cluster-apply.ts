/** `redrover cluster plan` and `cluster apply`: nothing changes that was not shown and approved. */
import { DEFAULT_MOVE_OPTIONS, RedroverError } from '@redrover/core';
import type { ClusterSpec, MoveOptions, Operation } from '@redrover/core';
import { clusterSpecToProto, moveOptionsToProto, operationFromProto } from '@redrover/wire';

import type { Handler } from '../program/define-command.ts';
import type { Session } from '../program/session.ts';
import { toPlanView, toRefusalView } from '../render/plan-view.ts';
import type { PlanView } from '../render/plan-view.ts';
import { present } from '../render/present.ts';
import { carryOut, describePlan, reportPlan, reportRefusal } from './carry-out-plan.ts';
import type { PlanResult } from './carry-out-plan.ts';
import { PLAN_TIMEOUT_MS, readMoveOptions } from './move-options.ts';
import { readSpecOption } from './spec-option.ts';
import { bringsSpecAbout } from './stored-spec.ts';

/** A spec, and how slots are moved where it means that some have to be. */
export interface SpecRequest {
  readonly spec: ClusterSpec;
  readonly move?: MoveOptions;
}

export async function fetchPlan(session: Session, request: SpecRequest): Promise<PlanResult> {
  const allowed = session.allow(PLAN_TIMEOUT_MS);
  const { result } = await session.api.clusters.planCluster(toMessage(request), allowed);
  if (result.case === 'refusal') return { refusal: toRefusalView(result.value) };
  return { plan: toPlanView(present(result.value, 'plan')) };
}

export const planCluster: Handler = async (session, invocation) => {
  const move = readMoveOptions(invocation);
  const result = await fetchPlan(session, { spec: readSpecOption(session, invocation), move });
  if (result.refusal !== undefined) return reportRefusal(session, {}, result.refusal);
  return reportPlan(session, await describePlan(session, result.plan));
};

export const applyCluster: Handler = async (session, invocation) => {
  const move = readMoveOptions(invocation);
  const request = { spec: readSpecOption(session, invocation), move };
  const { name } = request.spec;
  return carryOut(session, invocation, {
    cluster: name,
    plan: () => fetchPlan(session, request),
    isSame: (operation) => bringsSpecAbout(session.api, operation, request.spec),
    question: `Apply this plan to ${name}?`,
    nothingToDo: `${name} is as the spec says; nothing to do.`,
    apply: (plan) => applySpec(session, request, plan),
  });
};

/** Errors: `internal` where a plan that has steps began nothing. */
export async function startOperation(
  session: Session,
  request: SpecRequest,
  plan: PlanView,
): Promise<Operation> {
  return present(await applySpec(session, request, plan), 'operation');
}

/** Approves exactly the plan that was shown; a stale one is refused by the controller. */
export async function applySpec(
  session: Session,
  request: SpecRequest,
  { fingerprint }: PlanView,
): Promise<Operation | undefined> {
  const message = { ...toMessage(request), fingerprint };
  const allowed = session.allow(PLAN_TIMEOUT_MS);
  const { operation } = await session.api.clusters.applyCluster(message, allowed);
  return operation === undefined ? undefined : operationFromProto(operation);
}

function toMessage({ spec, move = DEFAULT_MOVE_OPTIONS }: SpecRequest) {
  return { spec: clusterSpecToProto(spec), move: moveOptionsToProto(move) };
}

/** Errors: `failed-precondition` with the reasons, for callers that cannot show a refusal. */
export function assertPlanned({ plan, refusal }: PlanResult): PlanView {
  if (plan !== undefined) return plan;
  const reasons = refusal.reasons.map(({ message }) => message);
  const others = refusal.alternatives.map((each) => `- ${each}`);
  throw new RedroverError('failed-precondition', [...reasons, ...others].join('\n'));
}
