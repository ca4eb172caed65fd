/**
 * Sees soon that a replica of this host has become a master: within a fraction of a second, if its master fell silent
 * before. Heartbeats see it too, and later.
 * What follows from it is others' business.
 */
import type { NodeKey } from '@redrover/core';
import type { AgentNode } from './agent-node.ts';
import type { NodeRegistry } from './node-registry.ts';

/** Clients need as long to find the new master. */
const LOOK_MS = 150;
/**
 * A look costs the agent a fifth of a millisecond, ten nodes as much again as all else that it does when nothing happens. A
 * replica that hears its master is seldom promoted; one that does not stands for election after a node timeout.
 */
const LOOKS_AT_CALM = 6;
/** In `CLUSTER INFO`: slots of masters that it, or everybody, takes to have failed. */
const SUSPICION = /cluster_slots_p?fail:[1-9]/;

export interface Promotion {
  readonly node: AgentNode;
  /** `address:port` of the master that it followed last. */
  readonly formerMaster: string;
}

interface Followed {
  readonly pid: number;
  readonly master: string;
  /** Its link to the master is `connected` (Redis' page of ROLE), and it suspects no master, as it does one that hangs. */
  readonly isCalm: boolean;
}

export class RoleWatch {
  readonly #nodes: NodeRegistry;
  readonly #onPromoted: (promotion: Promotion) => void;
  /** Of replicas: whom they follow. */
  readonly #followed = new Map<NodeKey, Followed>();
  readonly #asked = new Set<NodeKey>();
  #timer: NodeJS.Timeout | undefined;
  #looks = 0;

  constructor(nodes: NodeRegistry, onPromoted: (promotion: Promotion) => void) {
    this.#nodes = nodes;
    this.#onPromoted = onPromoted;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      const isEveryone = this.#looks % LOOKS_AT_CALM === 0;
      this.#looks += 1;
      for (const node of this.#nodes.list()) {
        const isAlarmed = this.#followed.get(node.record.key)?.isCalm === false;
        if (isEveryone || isAlarmed) void this.#look(node);
      }
    }, LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Never throws: one that does not answer is seen by its supervisor. */
  async #look(node: AgentNode): Promise<void> {
    const { key } = node.record;
    const pid = node.supervisor.process?.pid;
    if (pid === undefined || this.#asked.has(key)) return;
    this.#asked.add(key);
    try {
      this.#note(node, pid, await node.connection.pipeline([['ROLE'], ['CLUSTER', 'INFO']]));
    } catch {
      // What it was before still counts: a replica that hung may be elected by then.
    } finally {
      this.#asked.delete(key);
    }
  }

  #note(node: AgentNode, pid: number, [reply, info]: readonly unknown[]): void {
    const { key } = node.record;
    const [role, address, port, link] = Array.isArray(reply) ? reply.map(String) : [];
    if (role === 'slave') {
      const isCalm = link === 'connected' && !SUSPICION.test(String(info));
      this.#followed.set(key, { pid, master: `${address}:${port}`, isCalm });
      return;
    }
    const last = this.#followed.get(key);
    this.#followed.delete(key);
    // A server that was started as a master was not promoted.
    if (role !== 'master' || last?.pid !== pid) return;
    this.#onPromoted({ node, formerMaster: last.master });
  }
}
