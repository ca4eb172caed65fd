/** The views that heartbeats named by hash, for when the controller asks for one. */
import type { ClusterView, NodeObservation } from '@redrover/core';

export class ViewCache {
  #current = new Map<string, ClusterView>();
  #previous: ReadonlyMap<string, ClusterView> = new Map();

  /** Takes the views of one heartbeat in, and drops those of the heartbeat before the last. */
  note(observations: readonly NodeObservation[]): void {
    this.#previous = this.#current;
    this.#current = new Map();
    for (const { redis } of observations) {
      if (redis !== undefined) this.#current.set(redis.view.hash, redis.view);
    }
  }

  /** Those of the wanted views that are still known; the next heartbeat names newer ones. */
  find(hashes: readonly string[]): ClusterView[] {
    return hashes
      .map((hash) => this.#current.get(hash) ?? this.#previous.get(hash))
      .filter((view) => view !== undefined);
  }
}
