/** How a task's end is said, whoever notices it. */
import { RedroverError, type Attempt, type MoveEngine, type MoveReport } from '@redrover/core';
import { reportOf } from './move-error.ts';
import type { MoveFailure, MoveOutcome, MoveTask } from './move-task.ts';

export function emptyReport(engine: MoveEngine): MoveReport {
  return {
    engine,
    slotsMoved: 0,
    keysMoved: 0,
    bytesMoved: 0,
    blockedMs: 0,
    quarantined: [],
    notes: [],
  };
}

/** As if it had been one; the last one says what is left for a person. */
export function addReports(reports: readonly [...MoveReport[], MoveReport]): MoveReport {
  return reports.reduce((older, newer) => ({
    ...newer,
    slotsMoved: older.slotsMoved + newer.slotsMoved,
    keysMoved: older.keysMoved + newer.keysMoved,
    bytesMoved: older.bytesMoved + newer.bytesMoved,
    blockedMs: Math.max(older.blockedMs, newer.blockedMs),
    notes: [...new Set([...older.notes, ...newer.notes])],
  }));
}

/** `1365 slots with 49,897 keys moved` */
export function sayMoved({ slotsMoved, keysMoved }: MoveReport): string {
  return `${slotsMoved} slots with ${keysMoved.toLocaleString('en')} keys moved`;
}

/** As the journal of the operation has it. */
export function sayOutcome(
  outcome: MoveOutcome,
): Pick<Attempt, 'outcome' | 'errorCode' | 'message'> {
  try {
    return { outcome: 'ok', errorCode: undefined, message: sayMoved(reportOf(outcome)) };
  } catch (thrown) {
    const { code, message } = RedroverError.from(thrown);
    return { outcome: 'failed', errorCode: code, message };
  }
}

export function failureOf(thrown: unknown): MoveFailure {
  const { code, message, context } = RedroverError.from(thrown);
  return { code, message, context };
}

/** `last`: the report so far, if there is any. */
export function failedOutcome(
  task: MoveTask,
  thrown: unknown,
  last: MoveReport | undefined,
): MoveOutcome {
  const report = last ?? emptyReport(task.step.engine);
  return { ending: 'failed', report, error: failureOf(thrown) };
}
