/**
 * What no assignment can do better than, measure by measure; equal to a score, it proves that score
 * to be the optimum. Also finds by counting alone that there is no assignment at all.
 */
import { maxMastersPerDomain } from './domains.ts';
import { zonesKeepMembersApart, zonesKeepQuorum } from './failure-zones.ts';
import type { PlacementProblem } from './placement-problem.ts';
import type { Score } from './score.ts';
import { spreadEvenly, sumOfSquares } from './spread-evenly.ts';

/** The least number of nodes and masters that a host has, and the most that it may get. */
export interface HostBounds {
  readonly zone: number;
  readonly nodes: { readonly min: number; readonly max: number };
  readonly masters: { readonly min: number; readonly max: number };
}

/** Undefined: the rules cannot all be kept, whatever is placed where. */
export function lowerBound(problem: PlacementProblem): Score | undefined {
  const { hosts, replicas, shards, zoneCount } = problem;
  const bounds = hostBounds(problem);
  const nodeShares = spreadNodes(problem, bounds);
  const masterShares = spreadMasters(problem, bounds);
  if (nodeShares === undefined || masterShares === undefined) return undefined;
  const members = 1 + replicas;
  const limit = maxMastersPerDomain(shards.length);
  const zones = zoneCount > 0 ? zoneCount : 1;
  const sharedHosts = shards.length * Math.max(0, members - hosts.length);
  return [
    0,
    sharedHosts,
    0,
    Math.max(0, shards.length - hosts.length * limit),
    zonesKeepQuorum(zoneCount) ? Math.max(0, shards.length - zones * limit) : 0,
    0,
    zoneCount > 0 ? worstAfterLossBound(shards.length, zones, Math.min(members, zones) - 1) : 0,
    worstAfterLossBound(shards.length, hosts.length, Math.min(replicas, hosts.length - 1)),
    sumOfSquares(masterShares),
    sumOfSquares(nodeShares),
  ];
}

/**
 * Losing the domain with the most masters, m ≥ ⌈M/D⌉ of them, leaves M − m masters on the others,
 * and each lost one may come back on any of the `others` domains with a replica: the D − 1 domains
 * left hold M − m + m × others at the worst, which is least for m = ⌈M/D⌉.
 */
function worstAfterLossBound(masters: number, domains: number, others: number): number {
  if (domains < 2) return masters;
  const largest = Math.ceil(masters / domains);
  return Math.max(largest, Math.ceil((masters + (others - 1) * largest) / (domains - 1)));
}

export function hostBounds(problem: PlacementProblem): HostBounds[] {
  const masterLimit = problem.allowWeakQuorum
    ? problem.shards.length
    : maxMastersPerDomain(problem.shards.length);
  const nodeLimit = problem.allowSameHost
    ? problem.shards.length * (1 + problem.replicas)
    : problem.shards.length;
  return problem.hosts.map((host, index) => {
    const fixed = fixedOn(problem, index);
    const mostMasters = fixed.masters + fixed.undecided + host.maxNodes - host.replicaSeats;
    return {
      zone: host.zone,
      nodes: {
        min: fixed.total + Math.max(host.minNodes, host.masterSeats + host.replicaSeats),
        max: Math.min(nodeLimit, fixed.total + host.maxNodes),
      },
      masters: {
        min: fixed.masters + host.masterSeats,
        max: Math.min(masterLimit, mostMasters),
      },
    };
  });
}

function fixedOn(
  problem: PlacementProblem,
  host: number,
): { readonly total: number; readonly masters: number; readonly undecided: number } {
  let masters = 0;
  let replicas = 0;
  let undecided = 0;
  for (const shard of problem.shards) {
    if (shard.master === host) masters += 1;
    replicas += shard.replicas.filter((place) => place === host).length;
    undecided += shard.undecided.filter((place) => place === host).length;
  }
  return { total: masters + replicas + undecided, masters, undecided };
}

function spreadNodes(problem: PlacementProblem, bounds: HostBounds[]): number[] | undefined {
  const members = 1 + problem.replicas;
  const apart = zonesKeepMembersApart(problem.zoneCount, members) && !problem.allowSameHost;
  return spreadEvenly({
    count: problem.shards.length * members,
    hosts: bounds.map(({ zone, nodes }) => ({ zone, ...nodes })),
    zoneMax: apart ? problem.shards.length : Number.POSITIVE_INFINITY,
  });
}

/**
 * The most even masters by host that the quorum allows; undefined when it cannot be kept. `zoneMax`
 * limits a zone further.
 */
export function spreadMasters(
  problem: PlacementProblem,
  bounds: readonly HostBounds[],
  zoneMax: number = Number.POSITIVE_INFINITY,
): number[] | undefined {
  const strict = zonesKeepQuorum(problem.zoneCount) && !problem.allowWeakQuorum;
  const quorumMax = strict ? maxMastersPerDomain(problem.shards.length) : zoneMax;
  return spreadEvenly({
    count: problem.shards.length,
    hosts: bounds.map(({ zone, masters }) => ({ zone, ...masters })),
    zoneMax: Math.min(zoneMax, quorumMax),
  });
}
