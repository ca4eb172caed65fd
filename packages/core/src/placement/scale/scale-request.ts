/** What the next layout of a cluster that changes its size is planned from. */
import type { Host } from '../../model/host.ts';
import type { Layout, LayoutNode, LayoutShard } from '../../model/layout.ts';
import type { Observation } from '../../model/observation.ts';
import type { ClusterSpec } from '../../model/spec.ts';
import type { PortsInUse } from '../free-ports.ts';
import type { SlotsByShard } from '../slots/slot-owners.ts';

export interface ScaleRequest {
  /** Of the new size. */
  readonly spec: ClusterSpec;
  /** The layout in force. */
  readonly current: Layout;
  /** All known hosts. */
  readonly hosts: readonly Host[];
  /** Of the layout that is planned. */
  readonly number: number;
  /** Ids of all shards that the cluster ever had. */
  readonly usedShardIds: readonly string[];
  /** Where slots are; of those that are not named it is taken from the layout. */
  readonly ownedSlots: SlotsByShard;
  /** Nodes that are there beside the layout's keep their ports. */
  readonly observation: Observation | undefined;
}

/** What stays of a cluster; the rest is placed anew. */
export interface Kept {
  /** In their order in the layout. */
  readonly shards: readonly LayoutShard[];
  /** Of these shards. */
  readonly nodes: readonly LayoutNode[];
}

export function replicasOf(layout: Layout): number {
  return layout.nodes.length / layout.shards.length - 1;
}

/** `s5` after `s4`, also when `s4` is gone: what was said of a shard is never said of another. */
export function newShardIds(used: readonly string[], count: number): string[] {
  const numbers = used.map((id) => Number(/^s(\d+)$/.exec(id)?.[1] ?? 0));
  const highest = Math.max(0, ...numbers);
  return Array.from({ length: count }, (_, index) => `s${highest + 1 + index}`);
}

export function portsInUse({ spec, current, hosts, observation }: ScaleRequest): PortsInUse {
  return { spec, layout: current, hosts, observation };
}

/** Whether the layout has as many shards and replicas as the spec asks for. */
export function hasSize(layout: Layout, spec: ClusterSpec): boolean {
  return layout.shards.length === spec.shards && replicasOf(layout) === spec.replicas;
}
