/** `redrover cluster plan` and `cluster apply`: nothing changes that was not shown and approved. */
import { RedroverError } from '@redrover/core';
import type { ClusterSpec, Operation } from '@redrover/core';
import { clusterSpecToProto, operationFromProto } from '@redrover/wire';

import { ExitCode } from '../exit-code.ts';
import type { Handler } from '../program/define-command.ts';
import type { Session } from '../program/session.ts';
import {
  renderPlan,
  renderRefusal,
  savesSpec,
  toPlanView,
  toRefusalView,
} from '../render/plan-view.ts';
import type { PlanView, RefusalView } from '../render/plan-view.ts';
import { present } from '../render/present.ts';
import { approvePlans, joinOperations, planOrJoin } from './approve-plans.ts';
import { readSpecOption } from './spec-option.ts';

export type PlanResult =
  | { readonly plan: PlanView; readonly refusal?: undefined }
  | { readonly refusal: RefusalView; readonly plan?: undefined };

export async function fetchPlan({ api }: Session, spec: ClusterSpec): Promise<PlanResult> {
  const { result } = await api.clusters.planCluster({ spec: clusterSpecToProto(spec) });
  if (result.case === 'refusal') return { refusal: toRefusalView(result.value) };
  return { plan: toPlanView(present(result.value, 'plan')) };
}

export const planCluster: Handler = async (session, invocation) => {
  const { output } = session;
  const { plan, refusal } = await fetchPlan(session, readSpecOption(session, invocation));
  if (refusal !== undefined) {
    output.result({ refusal }, (view) => renderRefusal(refusal, view));
    return ExitCode.failed;
  }
  output.result(plan, (view) => renderPlan(plan, view));
  return plan.empty && !savesSpec(plan) ? ExitCode.done : ExitCode.attention;
};

export const applyCluster: Handler = async (session, invocation) => {
  const { output } = session;
  const spec = readSpecOption(session, invocation);
  // Another spec is refused before the controller looks at what is under way; a change that says
  // why it is made, such as a drain, is none that this spec asks for.
  const isSame = ({ kind, reason }: Operation): boolean =>
    kind === 'create' || (kind === 'change' && reason === '');
  const { planned, running } = await planOrJoin(session, {
    plan: () => fetchPlan(session, spec),
    isSame,
  });
  if (running !== undefined) return joinOperations(session, invocation, [running]);
  const { plan, refusal } = planned;
  if (refusal !== undefined) {
    output.result({ refusal }, (view) => renderRefusal(refusal, view));
    return ExitCode.failed;
  }
  output.note(renderPlan(plan, output.notes));
  if (savesSpec(plan)) return saveSpec(session, spec, plan);
  if (plan.empty) {
    output.result({ empty: true }, () => `${spec.name} is as the spec says; nothing to do.`);
    return ExitCode.done;
  }
  return approvePlans(session, invocation, {
    plans: [plan],
    question: `Apply this plan to ${spec.name}?`,
    apply: async () => [await startOperation(session, spec, plan)],
  });
};

/** What the controller may do has changed, and nothing of what nodes are. */
async function saveSpec(session: Session, spec: ClusterSpec, plan: PlanView): Promise<ExitCode> {
  const { output } = session;
  if (!(await session.confirm(`Save this spec of ${spec.name}?`))) {
    output.note('Nothing was changed.');
    return ExitCode.failed;
  }
  await applySpec(session, spec, plan);
  output.result({ empty: true, saved: true }, () => `The spec of ${spec.name} is saved.`);
  return ExitCode.done;
}

/** Approves exactly the plan that was shown; a stale one is refused by the controller. */
export async function startOperation(
  session: Session,
  spec: ClusterSpec,
  plan: PlanView,
): Promise<Operation> {
  const { operation } = await applySpec(session, spec, plan);
  return operationFromProto(present(operation, 'operation'));
}

async function applySpec({ api }: Session, spec: ClusterSpec, { fingerprint }: PlanView) {
  return api.clusters.applyCluster({ spec: clusterSpecToProto(spec), fingerprint });
}

/** Errors: `failed-precondition` with the reasons, for callers that cannot show a refusal. */
export function assertPlanned({ plan, refusal }: PlanResult): PlanView {
  if (plan !== undefined) return plan;
  const reasons = refusal.reasons.map(({ message }) => message);
  const others = refusal.alternatives.map((each) => `- ${each}`);
  throw new RedroverError('failed-precondition', [...reasons, ...others].join('\n'));
}
