/** The immutable, numbered answer to a spec. All choices are made here, none later. */
import type { SlotRange } from './slots.ts';
import type { NodeRole } from './spec.ts';

/** `<host>:<port>`: the name of a node in messages, journals and keys. */
export type NodeKey = string;

export interface LayoutNode {
  readonly key: NodeKey;
  readonly host: string;
  /** The host's address when the layout was made; what the node binds to and announces. */
  readonly address: string;
  readonly port: number;
  readonly busPort: number;
  /** Id of the shard, for example `s1`. */
  readonly shard: string;
  /** The role the node should have when nothing is wrong; Redis itself decides the actual one. */
  readonly preferredRole: NodeRole;
  /** The config epoch that a preferred master is created with; distinct, from 1. 0 for replicas. */
  readonly configEpoch: number;
}

export interface LayoutShard {
  readonly id: string;
  readonly slots: readonly SlotRange[];
}

export interface Layout {
  readonly cluster: string;
  /** Random, chosen once when the cluster is first planned: tells this cluster from another of the same name. */
  readonly clusterId: string;
  /** One more each time; 1 for the first layout of the first cluster of that name. */
  readonly number: number;
  /** Name of the release that every node runs. */
  readonly release: string;
  readonly shards: readonly LayoutShard[];
  readonly nodes: readonly LayoutNode[];
  readonly maxmemoryBytes: number | undefined;
  readonly nodeTimeoutMs: number;
  readonly config: Readonly<Record<string, string>>;
  readonly zoneLabel: string;
  /** Risks that the operator accepted by name. */
  readonly allowSameHost: boolean;
  readonly allowWeakQuorum: boolean;
  /** Hosts under maintenance: their nodes shall be stopped, and others act as masters meanwhile. */
  readonly drainedHosts: readonly string[];
}

export function nodeKey(host: string, port: number): NodeKey {
  return `${host}:${port}`;
}

/** Redis' rule where `cluster-port` is not set (Redis Cluster specification, "The cluster bus"). */
export function busPortOf(port: number): number {
  return port + 10_000;
}
