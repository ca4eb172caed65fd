/** Steps on one node run one after another, in the order of their arrival; different nodes at once. */
import type { NodeKey } from '@redrover/core';
import type { NodeRegistry } from '../supervise/node-registry.ts';
import { SerialQueue } from '../supervise/serial-queue.ts';

export class StepQueues {
  readonly #nodes: NodeRegistry;
  /** Of nodes that have no record yet, or not any more. */
  readonly #unknown = new Map<NodeKey, SerialQueue>();

  constructor(nodes: NodeRegistry) {
    this.#nodes = nodes;
  }

  /** Without a key at once: what concerns the host keeps its own order. */
  async run<T>(key: NodeKey | undefined, task: () => Promise<T>): Promise<T> {
    if (key === undefined) return task();
    const outer = this.#unknown.get(key) ?? new SerialQueue();
    this.#unknown.set(key, outer);
    try {
      // A known node's own queue too: the supervisor's restarts wait in it.
      return await outer.run(() => {
        const node = this.#nodes.find(key);
        return node === undefined ? task() : node.supervisor.queue.run(task);
      });
    } finally {
      if (outer.idle) this.#unknown.delete(key);
    }
  }
}
