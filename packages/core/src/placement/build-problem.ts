/** Turns a spec and its candidate hosts into the problem that is solved by counting. */
import type { ClusterSpec, PinnedNode } from '../model/spec.ts';
import type { CandidateHost } from './candidate-hosts.ts';
import { zonesOfHosts } from './failure-zones.ts';
import type { PlacementProblem, ProblemHost, ProblemShard } from './placement-problem.ts';

export interface BuiltProblem {
  readonly problem: PlacementProblem;
  /** Names of the problem's hosts. */
  readonly hosts: readonly string[];
}

/** Hosts that have no room for a single node are left out: they cannot keep anything apart. */
export function buildProblem(
  spec: ClusterSpec,
  candidates: readonly CandidateHost[],
): BuiltProblem {
  const pinned = spec.nodes.length > 0;
  const used = pinned ? candidates : candidates.filter((host) => roomOf(host) > 0);
  const hosts = used.map(({ host }) => host.name);
  const zones = zonesOfHosts(
    used.map(({ host }) => host),
    spec.placement.zoneLabel,
  );
  const zoneNames = [...new Set(zones?.values())];
  return {
    hosts,
    problem: {
      hosts: used.map((candidate): ProblemHost => {
        const { name } = candidate.host;
        const zone = Math.max(0, zoneNames.indexOf(zones?.get(name) ?? ''));
        if (pinned) return { zone, ...pinnedSeats(spec, name) };
        const maxNodes = roomOf(candidate);
        return { zone, minNodes: 0, maxNodes, masterSeats: 0, replicaSeats: 0 };
      }),
      zoneCount: zoneNames.length,
      shards: Array.from({ length: spec.shards }, (_, index) =>
        pinnedShard(spec, index + 1, hosts),
      ),
      replicas: spec.replicas,
      allowSameHost: spec.placement.allowSameHost,
      allowWeakQuorum: spec.placement.allowWeakQuorum,
    },
  };
}

export function roomOf(candidate: CandidateHost): number {
  return Math.min(candidate.memoryCapacity, candidate.portCapacity);
}

/** Nodes of a host that are pinned to no shard. */
function pinnedSeats(spec: ClusterSpec, host: string): Omit<ProblemHost, 'zone'> {
  const seats = spec.nodes.filter((node) => node.host === host && node.shard === undefined);
  return {
    minNodes: seats.length,
    maxNodes: seats.length,
    masterSeats: seats.filter((node) => node.role === 'master').length,
    replicaSeats: seats.filter((node) => node.role === 'replica').length,
  };
}

function pinnedShard(spec: ClusterSpec, shard: number, hosts: readonly string[]): ProblemShard {
  const members = spec.nodes.filter((node) => node.shard === shard);
  const places = (nodes: readonly PinnedNode[]) => nodes.map((node) => hosts.indexOf(node.host));
  return {
    master: places(members.filter((node) => node.role === 'master'))[0],
    replicas: places(members.filter((node) => node.role === 'replica')),
    undecided: places(members.filter((node) => node.role === undefined)),
  };
}
