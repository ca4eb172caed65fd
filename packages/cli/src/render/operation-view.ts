/** Operations and their journal, for people and for scripts. */
import type { Attempt, Operation, OperationState, Waiting } from '@redrover/core';

import type { View } from '../output/output.ts';
import type { Style } from '../output/style.ts';
import { formatAge, formatDuration } from '../output/units.ts';
import { wrapText } from '../output/wrap.ts';
import { summarizeMoved } from './moved-summary.ts';
import { describeMoveOptions, renderMoved, withoutDecisions } from './moved-view.ts';
import { operationPurpose, operationTitle } from './operation-title.ts';
import { isoTime } from './times.ts';

export function toOperationView(operation: Operation) {
  const { createdAtMs, endedAtMs, ...rest } = operation;
  return { ...rest, createdAt: isoTime(createdAtMs), endedAt: isoTime(endedAtMs) };
}

/** What scripts get: `single` of a command that starts one operation, `list` of one for each cluster. */
export type ResultShape = 'single' | 'list';

export interface EndedOperation {
  readonly operation: Operation;
  /** Attempts at moving slots; undefined for an operation that was not followed. */
  readonly moves?: readonly Attempt[];
}

export function toOperationsResult(operations: readonly EndedOperation[], shape: ResultShape) {
  const views = operations.map(({ operation, moves }) => {
    const view = toOperationView(operation);
    return moves === undefined ? view : { ...view, moved: summarizeMoved(moves) };
  });
  return shape === 'list' ? views : views[0];
}

export function toAttemptView(attempt: Attempt) {
  const { startedAtMs, endedAtMs, errorCode, ...rest } = attempt;
  return {
    ...rest,
    errorCode: errorCode ?? null,
    startedAt: isoTime(startedAtMs),
    endedAt: isoTime(endedAtMs),
  };
}

export function renderOperations(
  operations: readonly Operation[],
  view: View,
  nowMs: number,
): string {
  const rows = operations.map((operation) => [
    operation.id,
    operation.cluster,
    operationPurpose(operation),
    paintOperationState(operation.state, view.style),
    formatAge(operation.createdAtMs, nowMs),
    formatDuration((operation.endedAtMs ?? nowMs) - operation.createdAtMs),
    shorten(operation.message),
  ]);
  return view.table(['ID', 'CLUSTER', 'WHAT', 'STATE', 'STARTED', 'TOOK', 'REMARK'], rows);
}

// One operation is a line or two of a list; `op show` has the whole message.
const MAX_REMARK_LENGTH = 60;

function shorten(message: string): string {
  const [first = '', ...more] = message.split('\n');
  if (first.length <= MAX_REMARK_LENGTH) return more.length === 0 ? first : `${first} …`;
  const words = first.slice(0, MAX_REMARK_LENGTH).split(' ');
  return `${words.slice(0, -1).join(' ')} …`;
}

export interface OperationDetails {
  readonly operation: Operation;
  readonly attempts: readonly Attempt[];
  readonly waits: readonly Waiting[];
}

export function renderOperation(
  { operation, attempts, waits }: OperationDetails,
  view: View,
  nowMs: number,
): string {
  const { style } = view;
  const state = paintOperationState(operation.state, style);
  const took = formatDuration((operation.endedAtMs ?? nowMs) - operation.createdAtMs);
  const headline =
    `${style.strong(operation.id)}: ${operationTitle(operation)}, ` +
    `layout ${operation.layoutNumber}, ${state} (${took})`;
  const rows = attempts.map((attempt) => [
    `+${formatDuration(attempt.startedAtMs - operation.createdAtMs)}`,
    attempt.endedAtMs === undefined ? '' : formatDuration(attempt.endedAtMs - attempt.startedAtMs),
    paintOutcome(attempt, style),
    attempt.stepKey,
    attempt.message,
  ]);
  const moved = summarizeMoved(attempts);
  const message = withoutDecisions(operation.message, moved);
  const how = moved === null ? '' : describeMoveOptions(operation.move);
  return [
    headline,
    ...(how === '' ? [] : [`slots are moved with: ${how}`]),
    ...(message === '' ? [] : [wrapText(message, view)]),
    ...waits.map(({ subject, reason }) => `waiting: ${subject}: ${reason}`),
    ...(rows.length === 0
      ? []
      : ['', view.table(['AT', 'TOOK', 'OUTCOME', 'STEP', 'REMARK'], rows)]),
    ...(moved === null ? [] : ['', renderMoved(moved, operation.state, view)]),
  ].join('\n');
}

export function paintOperationState(state: OperationState, style: Style): string {
  if (state === 'done') return style.good(state);
  if (state === 'failed') return style.bad(state);
  return state === 'running' ? style.accent(state) : style.caution(state);
}

/** Told to stop is no failure. */
function paintOutcome({ outcome, errorCode }: Attempt, style: Style): string {
  if (outcome === 'failed' && errorCode === 'cancelled') return style.caution('stopped');
  if (outcome === 'ok') return style.good(outcome);
  return outcome === 'failed' ? style.bad(outcome) : style.accent(outcome);
}
