/**
 * How long an operation waits for what is in its way and passes by itself, such as a failover of Redis.
 *
 * What is in the way is the planner's word; here is only decided whether a person is needed for it yet.
 */
import type { Finding, Waiting } from '@redrover/core';

/** A node that is away, or a failover: Redis, or the agent of that node, ends it. */
const PASSING: ReadonlySet<string> = new Set([
  'keys-on-their-way',
  'master-out-of-reach',
  'no-majority',
  'node-does-not-answer',
  'replica-of-another-shard',
  'slots-lost',
  'target-without-master',
  'target-without-replica',
]);

/**
 * In node timeouts: 1.5 until a master is called failed, and four until a replica that was not elected may stand
 * again (cluster.c, `auth_retry_time`).
 */
const FAILOVER_TIMEOUTS = 6;
/** An agent that was restarted dials within 15 s, and starts a node that died within a few more. */
const RETURN_MS = 20_000;

export function patienceMs(nodeTimeoutMs: number): number {
  return FAILOVER_TIMEOUTS * nodeTimeoutMs + RETURN_MS;
}

export interface Clocks {
  /** Milliseconds of a monotonic clock. */
  readonly tick: number;
  /** For people. */
  readonly nowMs: number;
}

interface Obstacle {
  readonly sinceTick: number;
  readonly untilMs: number;
}

export class Patience {
  readonly #lengthMs: number;
  #obstacles: ReadonlyMap<string, Obstacle> = new Map();

  constructor(nodeTimeoutMs: number) {
    this.#lengthMs = patienceMs(nodeTimeoutMs);
  }

  /** Nobody looks for a while. */
  forget(): void {
    this.#obstacles = new Map();
  }

  /**
   * To be told of every turn: what has gone meanwhile starts anew when it is back.
   *
   * @returns what is waited for, and until when; undefined: a person is needed now.
   */
  judge(blockers: readonly Finding[], { tick, nowMs }: Clocks): Waiting[] | undefined {
    const known = this.#obstacles;
    const obstacles = new Map(
      blockers.map((blocker): [string, Obstacle] => {
        const name = `${blocker.rule} ${blocker.subject}`;
        const begun = { sinceTick: tick, untilMs: nowMs + this.#lengthMs };
        return [name, known.get(name) ?? begun];
      }),
    );
    this.#obstacles = obstacles;
    if (blockers.some(({ rule }) => !PASSING.has(rule))) return undefined;
    const isOver = [...obstacles.values()].some(
      ({ sinceTick }) => tick - sinceTick >= this.#lengthMs,
    );
    return isOver ? undefined : blockers.map((blocker) => this.#explain(blocker));
  }

  #explain({ rule, subject, message }: Finding): Waiting {
    const untilMs = this.#obstacles.get(`${rule} ${subject}`)?.untilMs ?? 0;
    const until = new Date(untilMs).toISOString().slice(11, 19);
    return { subject, reason: `${message} It may pass by itself: waiting until ${until} UTC` };
  }
}
