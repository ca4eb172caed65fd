/** When a crashed node is started again. Pure: time is passed in. */

export interface RestartDecision {
  readonly delayMs: number;
  /** Crashed too often in a row: still retried, rarely. */
  readonly crashLoop: boolean;
}

/** The first restart is nearly at once: replicas take over only after `cluster-node-timeout`. */
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 8_000;

/** Five crashes within a minute are no accident. */
const CRASH_LOOP_COUNT = 5;
export const CRASH_WINDOW_MS = 60_000;

/** Rare enough to cost nothing, often enough to end by itself once the cause (a full disk) is gone. */
const CRASH_LOOP_DELAY_MS = 60_000;

/** Crashes that still count at `now`: a node that ran for a minute starts afresh. */
export function recentCrashes(crashTimesMs: readonly number[], now: number): number[] {
  // A clock that was set back must not keep crashes for ever.
  return crashTimesMs.filter((time) => time <= now && now - time < CRASH_WINDOW_MS);
}

/** After the crash that is the last entry of `crashTimesMs`. */
export function decideRestart(crashTimesMs: readonly number[], now: number): RestartDecision {
  const recent = recentCrashes(crashTimesMs, now).length;
  if (recent >= CRASH_LOOP_COUNT) return { delayMs: CRASH_LOOP_DELAY_MS, crashLoop: true };
  const delayMs = Math.min(FIRST_DELAY_MS * 4 ** Math.max(0, recent - 1), LONGEST_DELAY_MS);
  return { delayMs, crashLoop: false };
}
