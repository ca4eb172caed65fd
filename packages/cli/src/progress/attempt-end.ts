/** How one attempt at a step ended, on one line. */
import type { Attempt } from '@redrover/core';

import type { Style } from '../output/style.ts';
import { formatDuration, formatLatency } from '../output/units.ts';
import { describeAmounts } from '../render/moved-view.ts';
import { describeStepKey } from '../render/step-text.ts';

/** `done     start h1:6379 (0.2 s): runs as pid 1` */
export function describeAttemptEnd(attempt: Attempt, style: Style): string {
  const { stepKey, startedAtMs, endedAtMs = startedAtMs, message } = attempt;
  const took = formatDuration(endedAtMs - startedAtMs);
  const moved = describeMoved(attempt);
  // A report says it best; of one that ended early, why. What it moved is in the sum at the end.
  const remark = attempt.outcome === 'ok' || message === '' ? moved || message : message;
  const what = `${describeStepKey(stepKey)} (${took})`;
  return `${describeOutcome(attempt, style)}  ${what}${remark === '' ? '' : `: ${remark}`}`;
}

/** Told to stop is no failure. */
function describeOutcome({ outcome, errorCode }: Attempt, style: Style): string {
  if (outcome !== 'failed') return 'done   ';
  return errorCode === 'cancelled' ? style.caution('stopped') : `${style.bad('failed')} `;
}

function describeMoved({ move }: Attempt): string {
  if (move === undefined) return '';
  const { slotsMoved: slots, keysMoved: keys, bytesMoved: bytes, blockedMs, quarantined } = move;
  const left =
    quarantined.length === 0
      ? ''
      : `, ${quarantined.length} ${quarantined.length === 1 ? 'slot' : 'slots'} left for a person`;
  const amounts = describeAmounts({ slots, keys, bytes });
  return `${amounts} moved, blocked ${formatLatency(blockedMs)} at most${left}`;
}
