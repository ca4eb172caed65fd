/**
 * Placement as a problem of counting: which host carries the master and the replicas of each shard.
 *
 * Hosts, zones and shards are indices here; ports, names and labels are bound elsewhere. A node
 * that is fixed to a shard is in `ProblemShard`; all others are taken from the seats of a host.
 */

export interface ProblemHost {
  /** Index of the failure zone; 0 for all hosts when zones do not count. */
  readonly zone: number;
  /** Seats that must be filled with nodes; equal to `maxNodes` when the nodes are pinned. */
  readonly minNodes: number;
  readonly maxNodes: number;
  /** Seats among these that are pinned to a role, but to no shard. */
  readonly masterSeats: number;
  readonly replicaSeats: number;
}

/** Hosts of the nodes that are fixed to the shard. */
export interface ProblemShard {
  readonly master: number | undefined;
  readonly replicas: readonly number[];
  /** Fixed to the shard, with the role still open. */
  readonly undecided: readonly number[];
}

export interface PlacementProblem {
  readonly hosts: readonly ProblemHost[];
  /** 0 when zones do not count. */
  readonly zoneCount: number;
  readonly shards: readonly ProblemShard[];
  /** Replicas of each shard. */
  readonly replicas: number;
  readonly allowSameHost: boolean;
  readonly allowWeakQuorum: boolean;
}

/** Hosts of one shard's members. */
export interface ShardPlaces {
  readonly master: number;
  readonly replicas: readonly number[];
}

/** One entry for each shard, in the order of the problem's shards. */
export type Assignment = readonly ShardPlaces[];

/** Nothing is fixed and all seats are alike: shards may be exchanged for one another. */
export function isFree(problem: PlacementProblem): boolean {
  return (
    problem.shards.every((shard) => knownMembers(shard) === 0) &&
    problem.hosts.every((host) => host.minNodes + host.masterSeats + host.replicaSeats === 0)
  );
}

export function knownMembers(shard: ProblemShard): number {
  return (shard.master === undefined ? 0 : 1) + shard.replicas.length + shard.undecided.length;
}

/** How many members of a shard one zone may have so that they are as far apart as can be. */
export function membersPerZone(problem: PlacementProblem): number {
  const members = 1 + problem.replicas;
  return problem.zoneCount === 0 ? members : Math.ceil(members / problem.zoneCount);
}
