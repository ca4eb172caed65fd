/**
 * The way of every change of one cluster: planned (or joined, where it is under way already), shown,
 * approved, applied, followed. What is asked for, and by which requests, is the command's own.
 */
import type { Operation } from '@redrover/core';

import { ExitCode } from '../exit-code.ts';
import { wrapText } from '../output/wrap.ts';
import { flagOption } from '../program/define-command.ts';
import type { Invocation } from '../program/define-command.ts';
import type { Session } from '../program/session.ts';
import { renderPlanned, toChangePlan } from '../render/change-view.ts';
import type { ChangePlan } from '../render/change-view.ts';
import { BLOCKED, isBlocked, renderRefusal, savesSpec } from '../render/plan-view.ts';
import type { PlanView, RefusalView } from '../render/plan-view.ts';
import { approvePlans, joinOperations, planOrJoin } from './approve-plans.ts';
import { fetchCluster } from './fetch-cluster.ts';

export type PlanResult =
  | { readonly plan: PlanView; readonly refusal?: undefined }
  | { readonly refusal: RefusalView; readonly plan?: undefined };

export interface Change {
  readonly cluster: string;
  readonly plan: () => Promise<PlanResult>;
  /** Whether an operation that is under way is what would be planned. */
  readonly isSame: (operation: Operation) => boolean | Promise<boolean>;
  /** Over the reasons, where it is not possible. */
  readonly refusal?: string;
  readonly question: string;
  readonly nothingToDo: string;
  /** Said before the question, and of no interest to scripts; empty for nothing. */
  readonly remark?: string;
  /** Undefined where only the spec was saved. Errors: `stale-plan`. */
  readonly apply: (plan: PlanView) => Promise<Operation | undefined>;
}

export async function carryOut(
  session: Session,
  invocation: Invocation,
  change: Change,
): Promise<ExitCode> {
  const { planned, running } = await planOrJoin(session, change);
  if (running !== undefined) return joinOperations(session, invocation, [running]);
  if (planned.refusal !== undefined) return reportRefusal(session, change, planned.refusal);
  const plan = await describePlan(session, planned.plan);
  if (flagOption(invocation, 'plan')) return reportPlan(session, plan);
  const { output } = session;
  // That there is nothing to do is said once, as the result.
  if (!plan.empty || plan.findings.length > 0) output.note(renderPlanned(plan, output.notes));
  if (savesSpec(plan)) return saveSpec(session, change, plan);
  if (plan.empty) {
    output.result({ empty: true, findings: plan.findings }, () => change.nothingToDo);
    return ExitCode.done;
  }
  if (change.remark && !isBlocked(plan)) output.note(`\n${wrapText(change.remark, output.notes)}`);
  return approvePlans(session, invocation, {
    plans: [plan],
    question: change.question,
    apply: async () => {
      const operation = await change.apply(plan);
      return operation === undefined ? [] : [operation];
    },
  });
}

/** Adds what the cluster is now to a plan that changes one which exists. */
export async function describePlan(
  { api }: Session,
  plan: PlanView,
): Promise<PlanView | ChangePlan> {
  if (plan.kind !== 'change') return plan;
  return toChangePlan(plan, await fetchCluster(api, plan.layout.cluster));
}

/** The exit code says whether there is something to do. */
export function reportPlan({ output }: Session, plan: PlanView | ChangePlan): ExitCode {
  const blocked = isBlocked(plan);
  output.result(plan, (view) => `${renderPlanned(plan, view)}${blocked ? `\n\n${BLOCKED}` : ''}`);
  if (blocked) return ExitCode.failed;
  return plan.empty && !savesSpec(plan) ? ExitCode.done : ExitCode.attention;
}

export function reportRefusal(
  { output }: Session,
  { refusal: headline }: Pick<Change, 'refusal'>,
  refusal: RefusalView,
): ExitCode {
  output.result({ refusal }, (view) => renderRefusal(refusal, view, headline));
  return ExitCode.failed;
}

/** What the controller may do has changed, and nothing of what nodes are. */
async function saveSpec(session: Session, change: Change, plan: PlanView): Promise<ExitCode> {
  const { output } = session;
  if (!(await session.confirm(`Save this spec of ${change.cluster}?`))) {
    output.note('Nothing was changed.');
    return ExitCode.failed;
  }
  await change.apply(plan);
  const value = { empty: true, saved: true };
  output.result(value, () => `The spec of ${change.cluster} is saved.`);
  return ExitCode.done;
}
