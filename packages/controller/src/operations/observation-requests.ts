/** Asks agents for what their nodes say now; each host once at a time. */
import type { NodeKey } from '@redrover/core';

import type { Agents } from '../agents/agents.ts';
import type { Hosts } from '../agents/hosts.ts';

export class ObservationRequests {
  readonly #agents: Agents;
  readonly #hosts: Hosts;
  readonly #onAnswer: () => void;
  /** Hosts that were asked and have not answered. */
  readonly #asked = new Set<string>();

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
      this.#asked.add(host);
      void this.#agents.observe(new Map([[host, keys]])).finally(() => {
        this.#asked.delete(host);
        this.#onAnswer();
      });
    }
  }
}
