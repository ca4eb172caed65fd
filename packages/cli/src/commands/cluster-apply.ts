/** `redrover cluster plan` and `cluster apply`: nothing changes that was not shown and approved. */
import { RedroverError } from '@redrover/core';
import type { ClusterSpec, Operation } from '@redrover/core';
import { clusterSpecToProto, operationFromProto } from '@redrover/wire';

import { ExitCode } from '../exit-code.ts';
import { flagOption } from '../program/define-command.ts';
import type { Handler } from '../program/define-command.ts';
import type { Session } from '../program/session.ts';
import { toOperationView } from '../render/operation-view.ts';
import {
  countSteps,
  renderPlan,
  renderRefusal,
  toPlanView,
  toRefusalView,
} from '../render/plan-view.ts';
import type { PlanView, RefusalView } from '../render/plan-view.ts';
import { present } from '../render/present.ts';
import { followToEnd } from './operation.ts';
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
  return plan.empty ? ExitCode.done : ExitCode.attention;
};

export const applyCluster: Handler = async (session, invocation) => {
  const { output } = session;
  const spec = readSpecOption(session, invocation);
  const detach = flagOption(invocation, 'detach');
  const { plan, refusal, running } = await planOrJoin(session, spec);
  if (running !== undefined) {
    output.note(`Operation ${running.id} is doing this already.`);
    return detach ? reportDetached(session, running) : followToEnd(session, { operation: running });
  }
  if (refusal !== undefined) {
    output.result({ refusal }, (view) => renderRefusal(refusal, view));
    return ExitCode.failed;
  }
  output.note(renderPlan(plan, output.notes));
  if (plan.empty) {
    output.result({ empty: true }, () => `${spec.name} is as the spec says; nothing to do.`);
    return ExitCode.done;
  }
  if (!(await session.confirm(`Apply this plan to ${spec.name}?`))) {
    output.note('Nothing was changed.');
    return ExitCode.failed;
  }
  const operation = await startOperation(session, spec, plan);
  return detach
    ? reportDetached(session, operation)
    : followToEnd(session, { operation, foreseenSteps: countSteps(plan) });
};

type PlanOrRunning =
  | (PlanResult & { readonly running?: undefined })
  | { readonly running: Operation; readonly plan?: undefined; readonly refusal?: undefined };

/**
 * The controller plans nothing for a cluster with an operation under way, and refuses another spec
 * before that: so the operation that it names is doing what this spec says, and is joined.
 */
async function planOrJoin(session: Session, spec: ClusterSpec): Promise<PlanOrRunning> {
  try {
    return await fetchPlan(session, spec);
  } catch (thrown) {
    const id = thrown instanceof RedroverError ? thrown.context['operation'] : undefined;
    if (id === undefined) throw thrown;
    const answer = await session.api.operations.getOperation({ operation: id });
    const running = operationFromProto(present(answer.operation, 'operation'));
    if (running.kind === 'remove') throw thrown;
    return { running };
  }
}

/** Approves exactly the plan that was shown; a stale one is refused by the controller. */
export async function startOperation(
  { api }: Session,
  spec: ClusterSpec,
  { fingerprint }: PlanView,
): Promise<Operation> {
  const answer = await api.clusters.applyCluster({ spec: clusterSpecToProto(spec), fingerprint });
  return operationFromProto(present(answer.operation, 'operation'));
}

export function reportDetached({ output }: Session, operation: Operation): ExitCode {
  output.result(toOperationView(operation), () => {
    return `Operation ${operation.id} is ${operation.state}: redrover op watch ${operation.id}`;
  });
  return ExitCode.done;
}

/** Errors: `failed-precondition` with the reasons, for callers that cannot show a refusal. */
export function assertPlanned({ plan, refusal }: PlanResult): PlanView {
  if (plan !== undefined) return plan;
  const reasons = refusal.reasons.map(({ message }) => message);
  const others = refusal.alternatives.map((each) => `- ${each}`);
  throw new RedroverError('failed-precondition', [...reasons, ...others].join('\n'));
}
