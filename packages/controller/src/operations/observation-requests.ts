/** Asks agents for what their nodes say now; each host once at a time. */
import type { NodeKey } from '@redrover/core';

import type { Agents } from '../agents/agents.ts';
import type { Hosts } from '../agents/hosts.ts';

export class ObservationRequests {
  readonly #agents: Agents;
  readonly #hosts: Hosts;
  readonly #onAnswer: () => void;
  /** Hosts that were asked and have not answered, and what they are to be asked then. */
  readonly #asked = new Map<string, Set<NodeKey>>();

  constructor(
    { agents, hosts }: { readonly agents: Agents; readonly hosts: Hosts },
    onAnswer: () => void,
  ) {
    this.#agents = agents;
    this.#hosts = hosts;
    this.#onAnswer = onAnswer;
  }

  /** By host. A host that does not answer is seen by its heartbeats; an answer is merged on arrival. */
  ask(nodes: ReadonlyMap<string, readonly NodeKey[]>): void {
    for (const [host, keys] of nodes) {
      if (this.#asked.has(host) || this.#hosts.find(host)?.status !== 'online') continue;
      const next = new Set<NodeKey>();
      this.#asked.set(host, next);
      void this.#agents.observe(new Map([[host, keys]])).finally(() => {
        this.#asked.delete(host);
        if (next.size > 0) this.ask(new Map([[host, [...next]]]));
        this.#onAnswer();
      });
    }
  }

  /** Something has changed: what a host is about to answer may be older than that, so it is asked once more. */
  askAnew(nodes: ReadonlyMap<string, readonly NodeKey[]>): void {
    for (const [host, keys] of nodes) {
      for (const key of keys) this.#asked.get(host)?.add(key);
    }
    this.ask(nodes);
  }
}
