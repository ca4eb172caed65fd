/**
 * Puts back the short node timeout of a creation when nobody else does: the controller may be gone
 * for good, and replicas that do not fail over are a cluster without high availability.
 *
 * When timing is lowered is the planner's business (core, `planning/timing.ts`); a planner that
 * is alive puts it back long before this does.
 */
import { RedroverError, type NodePlan } from '@redrover/core';
import type { Logger } from 'pino';
import type { NodeConnection } from '../redis/node-connection.ts';
import type { SerialQueue } from './serial-queue.ts';

/** Twice what a planner keeps timing lowered for. */
const LEASE_MS = 30_000;
/** A node that did not answer is asked again after this. */
const RETRY_MS = 10_000;

export interface GuardedNode {
  readonly key: string;
  readonly plan: () => NodePlan;
  readonly isUp: () => boolean;
  readonly connection: NodeConnection;
  /** Of the node: a step that sets timing is not interfered with. */
  readonly queue: SerialQueue;
  readonly log: Logger;
}

export class TimingGuard {
  readonly #node: GuardedNode;
  /** By the monotonic clock; undefined when there is nothing to look for. */
  #dueTick: number | undefined;
  #isLooking = false;

  /** Looks once after a start of the agent as well: the one before may have died in between. */
  constructor(node: GuardedNode) {
    this.#node = node;
    this.renew();
  }

  /** Timing was set: from now on it may stay as it is for the length of the lease. */
  renew(): void {
    this.#dueTick = performance.now() + LEASE_MS;
  }

  /** Cheap; called several times a second. */
  tick(): void {
    if (this.#isLooking || this.#dueTick === undefined) return;
    if (performance.now() < this.#dueTick) return;
    // Without a process there is nothing to put back: the next one has what its config says.
    if (!this.#node.isUp()) {
      this.#dueTick = undefined;
      return;
    }
    this.#isLooking = true;
    void this.#look().finally(() => {
      this.#isLooking = false;
    });
  }

  async #look(): Promise<void> {
    const { queue, key, log } = this.#node;
    try {
      await queue.run(async () => {
        // Renewed while this waited for its turn.
        if (this.#dueTick === undefined || performance.now() < this.#dueTick) return;
        if (await this.#putBack()) log.warn({ node: key }, 'put back timing that was left lowered');
        this.#dueTick = undefined;
      });
    } catch (thrown) {
      log.debug({ err: thrown, node: key }, 'cannot look at the timing now');
      this.#dueTick = performance.now() + RETRY_MS;
    }
  }

  /** Both together are the mark of a creation: each alone may be what an operator wants. */
  async #putBack(): Promise<boolean> {
    const { connection, plan } = this.#node;
    const { nodeTimeoutMs } = plan();
    const [timeout, failover] = await Promise.all([
      this.#read('cluster-node-timeout'),
      this.#read('cluster-replica-no-failover'),
    ]);
    if (failover !== 'yes' || Number(timeout) >= nodeTimeoutMs) return false;
    // The timeout goes up before failover comes back; in one write, so that neither is left alone.
    const replies = await connection.pipeline([
      ['CONFIG', 'SET', 'cluster-node-timeout', nodeTimeoutMs],
      ['CONFIG', 'SET', 'cluster-replica-no-failover', 'no'],
    ]);
    const refused = replies.find((reply) => reply instanceof RedroverError);
    if (refused !== undefined) throw refused;
    return true;
  }

  async #read(option: string): Promise<string> {
    const reply = await this.#node.connection.call(['CONFIG', 'GET', option]);
    return Array.isArray(reply) ? String(reply[1] ?? '') : '';
  }
}
