/** Follows operations to their ends, side by side, and says how each ended. */
import type { Operation, OperationState } from '@redrover/core';

import { ExitCode } from '../exit-code.ts';
import type { View } from '../output/output.ts';
import { wrapText } from '../output/wrap.ts';
import type { Session } from '../program/session.ts';
import { createDisplay } from '../progress/display.ts';
import { splitDisplay } from '../progress/split-display.ts';
import { watchOperation } from '../progress/watch-operation.ts';
import type { WatchResult } from '../progress/watch-operation.ts';
import { summarizeMoved } from '../render/moved-summary.ts';
import { renderMoved, withoutDecisions } from '../render/moved-view.ts';
import { operationTitle } from '../render/operation-title.ts';
import { paintOperationState, toOperationsResult } from '../render/operation-view.ts';
import type { EndedOperation, ResultShape } from '../render/operation-view.ts';

export interface FollowInput {
  readonly operation: Operation;
  readonly foreseenSteps?: number | undefined;
}

export interface FollowOptions {
  readonly shape?: ResultShape | undefined;
  /** The end that is a success; `cancelled` for whoever cancels. */
  readonly wanted?: OperationState;
}

/** The exit code is the operations' outcome: done only when all of them are. */
export async function followAll(
  session: Session,
  inputs: readonly FollowInput[],
  { shape = 'single', wanted = 'done' }: FollowOptions = {},
): Promise<ExitCode> {
  const { output } = session;
  const results = await watchAll(session, inputs);
  const detached = results.flatMap((result) => (result.kind === 'detached' ? [result] : []));
  if (detached.length > 0) {
    output.note(describeDetached(detached.map(({ operation }) => operation)));
    return ExitCode.interrupted;
  }
  const ended = results.flatMap((result) => (result.kind === 'ended' ? [result] : []));
  output.result(toOperationsResult(ended, shape), (view) =>
    ended.map((each) => describeEnd(each, view)).join('\n'),
  );
  return exitCodeOfEnds(
    ended.map(({ operation }) => operation.state),
    wanted,
  );
}

/** What becomes of operations that nobody watches any more, and how to see it. */
export function describeDetached(operations: readonly Operation[]): string {
  const [paused, others] = [
    operations.filter(({ state }) => state === 'paused'),
    operations.filter(({ state }) => state !== 'paused'),
  ];
  const list = (verb: string, of: readonly Operation[]): string =>
    of.map(({ id }) => `redrover op ${verb} ${id}`).join(', ');
  const which = others.length === 1 ? 'the operation goes on' : 'the operations go on';
  const rests = paused.length === 1 ? 'the operation is paused' : 'some operations are paused';
  return [
    ...(others.length === 0 ? [] : [`Detached; ${which}. Follow with: ${list('watch', others)}`]),
    ...(paused.length === 0 ? [] : [`Detached; ${rests}. Go on with: ${list('resume', paused)}`]),
  ].join('\n');
}

/** The worst of them counts; where all is done but what a person must decide, that is no failure. */
export function exitCodeOfEnds(
  states: readonly OperationState[],
  wanted: OperationState = 'done',
): ExitCode {
  const others = states.filter((state) => state !== wanted);
  if (others.length === 0) return ExitCode.done;
  const isUndecided = others.every((state) => state === 'needs-decision');
  return isUndecided ? ExitCode.attention : ExitCode.failed;
}

/** Errors: those of the first watch that failed; the others are ended. */
async function watchAll(
  { api, output }: Session,
  inputs: readonly FollowInput[],
): Promise<WatchResult[]> {
  const others = new AbortController();
  const names = inputs.map(({ operation }) => operation.cluster);
  const displays = splitDisplay(createDisplay(output.stderr, output.notes), names);
  const { signal } = others;
  try {
    return await Promise.all(
      inputs.map((input, index) =>
        watchOperation({ api, output, ...input, signal, display: displays[index] }),
      ),
    );
  } finally {
    others.abort();
  }
}

function describeEnd({ operation, moves = [] }: EndedOperation, view: View): string {
  const { id, state } = operation;
  const moved = summarizeMoved(moves);
  const message = withoutDecisions(operation.message, moved);
  // The state is the headline already.
  const why = message.startsWith(`${state}; `) ? message.slice(state.length + 2) : message;
  const reason = state === 'done' || why === '' ? '' : `: ${why}`;
  const headline =
    `${paintOperationState(state, view.style)}: ${operationTitle(operation)}, ` +
    `operation ${id}${reason}`;
  return [
    wrapText(headline, view),
    ...(moved === null ? [] : [renderMoved(moved, state, view)]),
    // Of one that went well it is what became of the keys.
    ...(state === 'done' && why !== '' ? ['', wrapText(why, view)] : []),
  ].join('\n');
}
