/**
 * What every change has in common: the plans are shown, approved, applied and followed. What they
 * say and which request applies them is the command's own.
 */
import { RedroverError } from '@redrover/core';
import type { Operation } from '@redrover/core';
import { operationFromProto } from '@redrover/wire';
import type { Command } from 'commander';

import { ExitCode } from '../exit-code.ts';
import { flagOption } from '../program/define-command.ts';
import type { Invocation } from '../program/define-command.ts';
import type { Session } from '../program/session.ts';
import { toOperationsResult } from '../render/operation-view.ts';
import type { ResultShape } from '../render/operation-view.ts';
import { BLOCKED, countSteps, isBlocked } from '../render/plan-view.ts';
import type { PlanView } from '../render/plan-view.ts';
import { present } from '../render/present.ts';
import { followAll } from './follow.ts';

export interface Approval {
  readonly plans: readonly PlanView[];
  readonly shape?: ResultShape;
  readonly question: string;
  /** Errors: `stale-plan` when the world has moved since the plans were made. */
  readonly apply: () => Promise<readonly Operation[]>;
  /** Said once all operations are done; empty for nothing. */
  readonly afterwards?: string;
}

export function withChangeOptions(command: Command): Command {
  return command
    .option('--plan', 'only show what would be done (exit code 2: there is something to do)')
    .option('--detach', 'do not wait for the end');
}

/** The plans were shown, and at least one of them is not empty. */
export async function approvePlans(
  session: Session,
  invocation: Invocation,
  approval: Approval,
): Promise<ExitCode> {
  const { output } = session;
  if (approval.plans.some(isBlocked)) return reportBlocked(session, approval.plans);
  if (!(await session.confirm(approval.question))) {
    output.note('Nothing was changed.');
    return ExitCode.failed;
  }
  const operations = await approval.apply();
  const { shape } = approval;
  if (flagOption(invocation, 'detach')) return reportDetached(session, operations, shape);
  const foreseen = new Map(
    approval.plans.map((plan) => [plan.layout.cluster, countSteps(plan)] as const),
  );
  const exitCode = await followAll(
    session,
    operations.map((operation) => ({
      operation,
      foreseenSteps: foreseen.get(operation.cluster),
    })),
    { shape },
  );
  if (exitCode === ExitCode.done && approval.afterwards) output.note(approval.afterwards);
  return exitCode;
}

/** Before a person is asked for what would be refused. */
export function reportBlocked({ output }: Session, plans: readonly PlanView[]): ExitCode {
  const blockers = plans.filter(isBlocked).flatMap(({ findings }) => findings);
  output.result({ blocked: true, findings: blockers }, () => BLOCKED);
  return ExitCode.failed;
}

export function reportDetached(
  { output }: Session,
  operations: readonly Operation[],
  shape: ResultShape = 'single',
): ExitCode {
  const views = operations.map((operation) => ({ operation }));
  output.result(toOperationsResult(views, shape), () => {
    return operations
      .map(({ id, state }) => `Operation ${id} is ${state}: redrover op watch ${id}`)
      .join('\n');
  });
  return ExitCode.done;
}

/** Follows operations that do already what was asked for. */
export async function joinOperations(
  session: Session,
  invocation: Invocation,
  running: readonly Operation[],
  shape?: ResultShape,
): Promise<ExitCode> {
  for (const { id } of running) session.output.note(`Operation ${id} is doing this already.`);
  if (flagOption(invocation, 'detach')) return reportDetached(session, running, shape);
  const inputs = running.map((operation) => ({ operation }));
  return followAll(session, inputs, { shape });
}

export interface PlanOrJoin<T> {
  readonly plan: () => Promise<T>;
  /** Whether an operation that is under way is what would be planned. */
  readonly isSame: (operation: Operation) => boolean | Promise<boolean>;
}

export type PlannedOrRunning<T> =
  | { readonly planned: T; readonly running?: undefined }
  | { readonly running: Operation; readonly planned?: undefined };

/**
 * The controller plans nothing for a cluster with an operation under way, and names it: one that
 * does what was asked for is joined. Errors: what the controller said of any other.
 */
export async function planOrJoin<T>(
  { api }: Session,
  { plan, isSame }: PlanOrJoin<T>,
): Promise<PlannedOrRunning<T>> {
  try {
    return { planned: await plan() };
  } catch (thrown) {
    const id = thrown instanceof RedroverError ? thrown.context['operation'] : undefined;
    if (id === undefined) throw thrown;
    const answer = await api.operations.getOperation({ operation: id });
    const running = operationFromProto(present(answer.operation, 'operation'));
    if (!(await isSame(running))) throw thrown;
    return { running };
  }
}
