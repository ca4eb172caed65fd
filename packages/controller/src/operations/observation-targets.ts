/** Which nodes are worth asking about, by what an operation waits for. */
import type { LayoutNode, MoveSlotsStep, NodeKey, Waiting } from '@redrover/core';

export type NodesByHost = ReadonlyMap<string, readonly NodeKey[]>;

/** Of a cluster up to this size all nodes are asked at once who owns which slots: 0.2 s of a core. */
const MAX_ASKED_AFTER_MOVE = 50;

export class ObservationTargets {
  readonly #nodes: readonly LayoutNode[];
  readonly #all: NodesByHost;

  /** Those of the layout, and those of earlier layouts. */
  constructor(nodes: readonly LayoutNode[]) {
    this.#nodes = nodes;
    this.#all = keysByHost(nodes);
  }

  hasHost(name: string): boolean {
    return this.#all.has(name);
  }

  all(): NodesByHost {
    return this.#all;
  }

  /** The nodes that the waits speak of; all, where one speaks of the cluster or a shard. */
  of(waits: readonly Waiting[]): NodesByHost {
    const subjects = new Set(waits.map((wait) => wait.subject));
    const named = this.#nodes.filter((node) => subjects.has(node.key) || subjects.has(node.host));
    const known = new Set(named.flatMap((node) => [node.key, node.host]));
    if (![...subjects].every((subject) => known.has(subject))) return this.#all;
    return keysByHost(named);
  }

  /** Those whose views of the slots are to be seen at once; in large clusters heartbeats tell the rest. */
  afterMove({ source, target, sourceReplicas, targetReplicas }: MoveSlotsStep): NodesByHost {
    if (this.#nodes.length <= MAX_ASKED_AFTER_MOVE) return this.#all;
    const ends = [source, target, ...sourceReplicas, ...targetReplicas].map(({ node }) => node);
    return keysByHost(this.#nodes.filter(({ key }) => ends.includes(key)));
  }
}

function keysByHost(nodes: readonly LayoutNode[]): Map<string, NodeKey[]> {
  const byHost = new Map<string, NodeKey[]>();
  for (const { host, key } of nodes) {
    const keys = byHost.get(host);
    if (keys === undefined) byHost.set(host, [key]);
    else keys.push(key);
  }
  return byHost;
}
