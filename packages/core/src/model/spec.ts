/** What an operator asks for. Reading and checking a spec file is `spec/`'s business. */

export type NodeRole = 'master' | 'replica';

/** A node that the operator fixed; everything that is left out is chosen by placement. */
export interface PinnedNode {
  readonly host: string;
  readonly port: number;
  /** 1 to `shards`; undefined: chosen. */
  readonly shard: number | undefined;
  readonly role: NodeRole | undefined;
}

export interface PlacementSpec {
  /** Names of the hosts that may carry nodes; empty: all known hosts. */
  readonly hosts: readonly string[];
  /** The lowest port that placement hands out; 1 to 55535. Default 6379. */
  readonly basePort: number;
  /** The host label that names a failure domain above the host. Default `zone`. */
  readonly zoneLabel: string;
  /** Accepts two members of a shard on one host: for trials, never for production. */
  readonly allowSameHost: boolean;
  /** Accepts that losing one host may lose the majority of masters. */
  readonly allowWeakQuorum: boolean;
}

export interface ClusterSpec {
  /** 1 to 63 of `a-z 0-9 -`, starting with a letter. */
  readonly name: string;
  /** Name of a release, for example `redis-7.0.15`. */
  readonly release: string;
  /** Number of masters; at least 3, as Redis Cluster needs a majority of masters (1 and 2 need allowWeakQuorum). */
  readonly shards: number;
  /** Replicas of each master; 0 to 5. */
  readonly replicas: number;
  readonly placement: PlacementSpec;
  /** Empty: all nodes are placed freely. Otherwise exactly shards × (1 + replicas) nodes. */
  readonly nodes: readonly PinnedNode[];
  /** `maxmemory` of each node in bytes; undefined: none is set, and memory is not checked. */
  readonly maxmemoryBytes: number | undefined;
  /** `cluster-node-timeout` in milliseconds. Default 5000. */
  readonly nodeTimeoutMs: number;
  /** `auto`: role drift and stuck nodes are repaired without asking. Default `manual`. */
  readonly repair: 'manual' | 'auto';
  /** How long nothing may have changed before `auto` begins, in milliseconds. Default 300000. */
  readonly repairQuietMs: number;
  /** Further options of redis.conf by name; those that Redrover owns are refused. */
  readonly config: Readonly<Record<string, string>>;
}
