/**
 * When a replica may stand for election again.
 *
 * Redis keeps one election per replica (cluster.c, `clusterHandleSlaveFailover`), and a manual failover
 * does not begin a new one before the retry time of the last has passed. Sooner, it either counts
 * the votes of the last one, and the node takes the slots with an epoch that others overrule, or it
 * waits in vain for 5 s in which the master holds its writes. Redis does not say when that was, so it
 * is noted here from what is observed.
 */
import type { ClusterView, RedisObservation } from '@redrover/core';

/** `auth_timeout` in cluster.c: twice the node timeout, at least 2 s; the retry time is twice that. */
const MIN_VOTE_MS = 2_000;
/** Observations come each second; an election may be as much older than its observation. */
const MARGIN_MS = 500;
/** A process this young has taken part in none: it has to join its cluster first. */
const YOUNG_SECONDS = 2;
/** Without observations for so long, somebody may have been elected and ousted unseen. */
const MAX_GAP_MS = 3_000;

export class ElectionMemory {
  #pid: number | undefined;
  #last: RedisObservation | undefined;
  #lastTick = -Infinity;
  /** When this node may last have stood for election, by the monotonic clock. */
  #ownTick = -Infinity;
  /** When a node was last seen to lose its slots to a replica: who voted then does not vote soon again. */
  readonly #ousted = new Map<string, number>();

  note(redis: RedisObservation, pid: number): void {
    if (redis.loading) return;
    const tick = performance.now();
    const last = pid === this.#pid ? this.#last : undefined;
    const isUnseen =
      last === undefined ? redis.uptimeSeconds > YOUNG_SECONDS : this.#missed(redis, tick);
    if (isUnseen) this.#ownTick = tick;
    else if (last === undefined) this.#ownTick = -Infinity;
    else if (mayHaveStood(last, redis)) this.#ownTick = tick;
    if (last !== undefined && last.view !== redis.view) {
      for (const nodeId of oustedBetween(last.view, redis.view)) this.#ousted.set(nodeId, tick);
    }
    this.#pid = pid;
    this.#last = redis;
    this.#lastTick = tick;
  }

  /** It was asked to stand for election, whatever comes of it. */
  noteOwn(): void {
    this.#ownTick = performance.now();
  }

  /** How long until it can be elected in the place of the master; 0 if at once. */
  waitMs(masterNodeId: string, nodeTimeoutMs: number): number {
    const voteMs = Math.max(nodeTimeoutMs * 2, MIN_VOTE_MS);
    const oustedTick = this.#ousted.get(masterNodeId) ?? -Infinity;
    const dueTick = Math.max(this.#ownTick + voteMs * 2, oustedTick + voteMs) + MARGIN_MS;
    return Math.max(0, Math.ceil(dueTick - performance.now()));
  }

  /** Every election raises the epoch, so that none took place where it is the same. */
  #missed(redis: RedisObservation, tick: number): boolean {
    return tick - this.#lastTick > MAX_GAP_MS && redis.currentEpoch !== this.#last?.currentEpoch;
  }
}

/** It was elected, or its master failed, in whose place it may stand. */
function mayHaveStood(last: RedisObservation, redis: RedisObservation): boolean {
  if (last.role === 'replica' && redis.role === 'master') return true;
  if (redis.role === 'master') return false;
  const own = redis.view.nodes.find((node) => node.nodeId === redis.nodeId);
  const master = redis.view.nodes.find((node) => node.nodeId === own?.masterId);
  return master?.flags.includes('fail') ?? false;
}

/** Its heir sees it for a while as a master without slots, before it says whose replica it is. */
function oustedBetween(before: ClusterView, after: ClusterView): string[] {
  const owners = before.nodes.filter((node) => node.slots.length > 0);
  return owners
    .filter(({ nodeId }) => {
      const now = after.nodes.find((node) => node.nodeId === nodeId);
      return now !== undefined && now.slots.length === 0;
    })
    .map(({ nodeId }) => nodeId);
}
