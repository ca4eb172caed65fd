/** Follows operations to their ends, side by side, and says how each ended. */
import type { Operation } from '@redrover/core';

import { ExitCode } from '../exit-code.ts';
import type { View } from '../output/output.ts';
import type { Session } from '../program/session.ts';
import { createDisplay } from '../progress/display.ts';
import { splitDisplay } from '../progress/split-display.ts';
import { watchOperation } from '../progress/watch-operation.ts';
import type { WatchResult } from '../progress/watch-operation.ts';
import { operationTitle } from '../render/operation-title.ts';
import { toOperationsResult } from '../render/operation-view.ts';
import type { ResultShape } from '../render/operation-view.ts';

export interface FollowInput {
  readonly operation: Operation;
  readonly foreseenSteps?: number | undefined;
}

/** The exit code is the operations' outcome: done only when all of them are. */
export async function followAll(
  session: Session,
  inputs: readonly FollowInput[],
  shape: ResultShape = 'single',
): Promise<ExitCode> {
  const { output } = session;
  const results = await watchAll(session, inputs);
  const detached = inputs.filter((_, index) => results[index]?.kind === 'detached');
  if (detached.length > 0) {
    const which = detached.length === 1 ? 'the operation goes on' : 'the operations go on';
    const follow = detached.map(({ operation: { id } }) => `redrover op watch ${id}`).join(', ');
    output.note(`Detached; ${which}. Follow with: ${follow}`);
    return ExitCode.interrupted;
  }
  const ended = results.flatMap((result) => (result.kind === 'ended' ? [result.operation] : []));
  output.result(toOperationsResult(ended, shape), (view) =>
    ended.map((operation) => describeEnd(operation, view)).join('\n'),
  );
  return ended.every(({ state }) => state === 'done') ? ExitCode.done : ExitCode.failed;
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

function describeEnd(operation: Operation, { style }: View): string {
  const what = `${operationTitle(operation)}, operation ${operation.id}`;
  if (operation.state === 'done') return `${style.good('done')}: ${what}`;
  const reason = operation.message === '' ? '' : `: ${operation.message}`;
  return `${style.bad(operation.state)}: ${what}${reason}`;
}
