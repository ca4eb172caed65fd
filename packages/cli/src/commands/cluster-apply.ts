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
  const { plan, refusal } = await fetchPlan(session, spec);
  if (refusal !== undefined) {
    output.result({ refusal }, (view) => renderRefusal(refusal, view));
    return ExitCode.failed;
  }
  output.note(renderPlan(plan, output.notes));
  const running = await findRunningOperation(session, plan);
  if (running !== undefined) {
    output.note(`Operation ${running.id} is doing this already; following it.`);
    return flagOption(invocation, 'detach')
      ? reportDetached(session, running)
      : followToEnd(session, { operation: running });
  }
  if (plan.empty) {
    output.result({ empty: true }, () => `${spec.name} is as the spec says; nothing to do.`);
    return ExitCode.done;
  }
  if (!(await session.confirm(`Apply this plan to ${spec.name}?`))) {
    output.note('Nothing was changed.');
    return ExitCode.failed;
  }
  const operation = await startOperation(session, spec, plan);
  return flagOption(invocation, 'detach')
    ? reportDetached(session, operation)
    : followToEnd(session, { operation, foreseenSteps: countSteps(plan) });
};

/** Approves exactly the plan that was shown; a stale one is refused by the controller. */
export async function startOperation(
  { api }: Session,
  spec: ClusterSpec,
  { fingerprint }: PlanView,
): Promise<Operation> {
  const answer = await api.clusters.applyCluster({ spec: clusterSpecToProto(spec), fingerprint });
  return operationFromProto(present(answer.operation, 'operation'));
}

/** An earlier apply of the same layout that has not ended: repeating a command joins it. */
async function findRunningOperation(
  { api }: Session,
  { layout }: PlanView,
): Promise<Operation | undefined> {
  const { operations } = await api.operations.listOperations({ cluster: layout.cluster });
  return operations
    .map((each) => operationFromProto(each))
    .find(
      ({ state, kind, layoutNumber }) =>
        (state === 'running' || state === 'paused') &&
        kind !== 'remove' &&
        layoutNumber === layout.number,
    );
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
