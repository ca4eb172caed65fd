/**
 * When to ask for fresh observations while nothing but waiting is left: often at first, as gossip
 * settles within a fraction of a second, then ever more rarely, as heartbeats come anyway.
 */

/** Asking 60 nodes takes some 20 ms of a core. */
const FIRST_DELAY_MS = 40;
const LONGEST_DELAY_MS = 1_000;
/** Adds at most a fifth of the time already waited. */
const GROWTH = 1.2;

export class PollSchedule {
  #delayMs = FIRST_DELAY_MS;
  #dueTick: number;

  /** Ticks are milliseconds of a monotonic clock. */
  constructor(tick: number) {
    this.#dueTick = tick;
  }

  /** Something was done: its effects are looked for soon. */
  restart(tick: number): void {
    this.#delayMs = FIRST_DELAY_MS;
    this.#dueTick = tick + FIRST_DELAY_MS;
  }

  /** Milliseconds until the next poll; 0 if it is due. */
  remainingMs(tick: number): number {
    return Math.max(0, this.#dueTick - tick);
  }

  /** A poll was begun. */
  advance(tick: number): void {
    this.#dueTick = tick + this.#delayMs;
    this.#delayMs = Math.min(this.#delayMs * GROWTH, LONGEST_DELAY_MS);
  }
}
