/** Why a step that moves slots failed, with what it had done by then. */
import { RedroverError, type MoveReport } from '@redrover/core';
import type { MoveOutcome } from './move-task.ts';

export class MoveError extends RedroverError {
  readonly report: MoveReport;

  constructor(error: RedroverError, report: MoveReport) {
    super(error.code, error.message, { context: error.context, cause: error.cause });
    this.report = report;
  }
}

/** The report of a task that has done what it could; anything else is thrown. */
export function reportOf({ ending, report, error }: MoveOutcome): MoveReport {
  if (ending === 'done') return report;
  const moved = `${report.slotsMoved} slots had been moved`;
  if (error === undefined) {
    throw new MoveError(
      new RedroverError('cancelled', `moving slots was stopped on request; ${moved}`),
      report,
    );
  }
  const { code, message, context } = error;
  throw new MoveError(new RedroverError(code, `${message}; ${moved}`, { context }), report);
}
