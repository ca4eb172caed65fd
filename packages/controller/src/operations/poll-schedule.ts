/**
 * When to ask for fresh observations while nothing but waiting is left: often at first, as gossip
 * settles within a fraction of a second, then ever more rarely, as heartbeats come anyway.
 */

/** Gossip of a small cluster settles in about a tenth of a second. */
const SHORTEST_DELAY_MS = 40;
/** Beside slots that are on their way: looking must not take what moving them needs, and heartbeats come anyway. */
const DELAY_BESIDE_MOVES_MS = 1_000;
const LONGEST_BESIDE_MOVES_MS = 5_000;
/**
 * Asking a node takes some 4 ms of a core, at the agent, the node and here together: asking all of them
 * must not take what they need to find each other.
 */
const DELAY_PER_NODE_MS = 8;
const LONGEST_DELAY_MS = 1_000;
/** Adds at most a fifth of the time already waited. */
const GROWTH = 1.2;

export class PollSchedule {
  readonly #firstDelayMs: number;
  readonly #longestDelayMs: number;
  #delayMs: number;
  #dueTick: number;

  /** Ticks are milliseconds of a monotonic clock; `nodes` is how many a poll may ask. */
  constructor(tick: number, nodes: number, beside: 'nothing' | 'moves' = 'nothing') {
    const [shortestMs, longestMs] =
      beside === 'moves'
        ? [DELAY_BESIDE_MOVES_MS, LONGEST_BESIDE_MOVES_MS]
        : [SHORTEST_DELAY_MS, LONGEST_DELAY_MS];
    this.#firstDelayMs = Math.max(shortestMs, nodes * DELAY_PER_NODE_MS);
    this.#longestDelayMs = Math.max(longestMs, this.#firstDelayMs);
    this.#delayMs = this.#firstDelayMs;
    this.#dueTick = tick;
  }

  /** Something was done: its effects are looked for soon. */
  restart(tick: number): void {
    this.#delayMs = this.#firstDelayMs;
    this.#dueTick = tick + this.#firstDelayMs;
  }

  /** Milliseconds until the next poll; 0 if it is due. */
  remainingMs(tick: number): number {
    return Math.max(0, this.#dueTick - tick);
  }

  /** A poll was begun. */
  advance(tick: number): void {
    this.#dueTick = tick + this.#delayMs;
    this.#delayMs = Math.min(this.#delayMs * GROWTH, this.#longestDelayMs);
  }
}
