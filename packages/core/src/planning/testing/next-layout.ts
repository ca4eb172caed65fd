/** Changes of shape, for tests: the next layout of a cluster, and what is seen when it is begun. */
import type { Layout, LayoutNode } from '../../model/layout.ts';
import type { Observation } from '../../model/observation.ts';
import { splitSlotsEvenly, type SlotRange } from '../../model/slots.ts';
import { absentNode } from '../fresh-node.ts';
import type { PlanInput } from '../situation.ts';
import { factsOf, inputOf, layoutOf, NOW, type Shape } from './examples.ts';

/** The layout of another shape; slots as they are asked for, else split evenly. */
export function nextLayout(
  current: Layout,
  shape: Shape,
  slots: readonly (readonly SlotRange[])[] = splitSlotsEvenly(shape.shards).map((one) => [one]),
): Layout {
  const shaped = layoutOf(shape);
  return {
    ...shaped,
    number: current.number + 1,
    shards: shaped.shards.map(({ id }, at) => ({ id, slots: slots[at] ?? [] })),
  };
}

/** The beginning of the change, with nothing done yet. */
export function beginChange(from: Observation, current: Layout, next: Layout): PlanInput {
  const keys = new Set(next.nodes.map(({ key }) => key));
  const former = current.nodes.filter(({ key }) => !keys.has(key));
  return { ...inputOf(next, withAbsent(from, next.nodes)), kind: 'change', former };
}

/** The hosts of these nodes report that they have none of them, where nothing else is known. */
export function withAbsent(observation: Observation, nodes: readonly LayoutNode[]): Observation {
  const hosts = { ...observation.hosts };
  const all = { ...observation.nodes };
  for (const node of nodes) {
    all[node.key] ??= absentNode(node, NOW);
    hosts[node.host] ??= {
      name: node.host,
      status: 'online',
      lastSeenMs: NOW,
      facts: factsOf(2),
      builds: [],
      movers: [],
    };
  }
  return { ...observation, hosts, nodes: all };
}

/** Keys in every master, by its share of slots; replicas have copies once it has settled. */
export function withKeys(observation: Observation, keys = 1000): Observation {
  const nodes = Object.entries(observation.nodes).map(([key, node]) => {
    const { redis } = node;
    return [key, redis === undefined ? node : { ...node, redis: { ...redis, keys } }] as const;
  });
  return { ...observation, nodes: Object.fromEntries(nodes) };
}
