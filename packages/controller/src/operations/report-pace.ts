/**
 * How long news of nodes may wait for more news before an operation is planned again. While slots are on their way,
 * every report tells of some that have got there, and nothing is to be done about them.
 */

const TOGETHER_MS = 250;
/** Just after a step others are about to begin, as soon as the nodes agree on what it has done. */
const STEP_ECHO_MS = 1_000;

interface UnderWay {
  readonly isIdle: boolean;
  readonly isOnlyMoving: boolean;
}

export class ReportPace {
  #stepTick = -Infinity;

  /** Ticks are milliseconds of a monotonic clock. */
  noteStepEnd(tick: number): void {
    this.#stepTick = tick;
  }

  /** Milliseconds; 0: not at all. */
  waitMs(tick: number, { isIdle, isOnlyMoving }: UnderWay): number {
    const isEcho = tick - this.#stepTick < STEP_ECHO_MS;
    return isIdle || !isOnlyMoving || isEcho ? 0 : TOGETHER_MS;
  }
}
