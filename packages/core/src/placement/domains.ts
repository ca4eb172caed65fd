/**
 * Failure domains: what is lost with a host or zone, for preferred roles as well as actual ones.
 *
 * A domain is named by a string; the caller decides whether that is a host or a zone. Planning
 * layouts is not done here, so that plans can be checked by code that they were not made with.
 */
import type { NodeRole } from '../model/spec.ts';

/** A node of a shard that is alive (or planned), in the role that it has (or shall have). */
export interface PlacedMember {
  readonly node: string;
  readonly shard: string;
  readonly domain: string;
  readonly role: NodeRole;
}

/** Two or more members of one shard in one domain: they are lost together. */
export interface SharedDomain {
  readonly shard: string;
  readonly domain: string;
  readonly nodes: readonly string[];
}

export interface DomainLoss {
  readonly domain: string;
  /** Shards of which no member is left: their slots, and the data in them, are gone. */
  readonly lostShards: readonly string[];
  /** Shards that lose their master and have a replica elsewhere: these fail over. */
  readonly failovers: readonly string[];
  /** Masters that are still there to vote. */
  readonly mastersLeft: number;
  /** Whether these are a majority of all masters: without one there is no failover at all. */
  readonly quorumKept: boolean;
  /** By shard: members left besides the one that is, or becomes, the master. */
  readonly replicasLeft: Readonly<Record<string, number>>;
  /**
   * The domain that may have the most masters afterwards, and how many. Any replica of a shard may
   * win its election, so a shard counts in each domain that has one of its replicas.
   */
  readonly worstAfter: { readonly domain: string; readonly masters: number };
}

/**
 * How many of the masters one domain may hold so that a majority is left without it: ⌊(M−1)/2⌋
 * (Redis Cluster specification, "Replica election and promotion": the quorum is ⌊M/2⌋+1 over masters with slots).
 */
export function maxMastersPerDomain(masterCount: number): number {
  return Math.max(0, Math.floor((masterCount - 1) / 2));
}

/** Number of masters by domain; a domain that holds only replicas is there with 0. */
export function mastersByDomain(members: readonly PlacedMember[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { domain, role } of members) {
    counts.set(domain, (counts.get(domain) ?? 0) + (role === 'master' ? 1 : 0));
  }
  return counts;
}

/** Rule 1: no two members of a shard in one domain. */
export function findSharedDomains(members: readonly PlacedMember[]): SharedDomain[] {
  const groups = new Map<string, { shard: string; domain: string; nodes: string[] }>();
  for (const { node, shard, domain } of members) {
    const key = JSON.stringify([shard, domain]);
    const group = groups.get(key) ?? { shard, domain, nodes: [] };
    group.nodes.push(node);
    groups.set(key, group);
  }
  return [...groups.values()].filter((group) => group.nodes.length > 1);
}

/** Rule 2: the domains with so many masters that losing one loses the majority. */
export function findQuorumRisks(
  members: readonly PlacedMember[],
): { readonly domain: string; readonly masters: number; readonly limit: number }[] {
  const counts = mastersByDomain(members);
  const limit = maxMastersPerDomain(sum(counts.values()));
  return [...counts]
    .filter(([, masters]) => masters > limit)
    .map(([domain, masters]) => ({ domain, masters, limit }));
}

/** What is left of the cluster when every node of a domain dies at once. */
export function whatIfDomainLost(members: readonly PlacedMember[], domain: string): DomainLoss {
  const left = members.filter((member) => member.domain !== domain);
  const mastersLeft = left.filter((member) => member.role === 'master').length;
  const masters = members.filter((member) => member.role === 'master').length;
  const shards = [...new Set(members.map((member) => member.shard))];
  const survivors = groupByShard(left);
  const withMaster = new Set(
    left.filter((member) => member.role === 'master').map((member) => member.shard),
  );
  const failovers = shards.filter((shard) => survivors.has(shard) && !withMaster.has(shard));
  return {
    domain,
    lostShards: shards.filter((shard) => !survivors.has(shard)),
    failovers,
    mastersLeft,
    quorumKept: mastersLeft >= Math.floor(masters / 2) + 1,
    replicasLeft: Object.fromEntries(
      shards.map((shard) => [shard, Math.max(0, (survivors.get(shard)?.length ?? 0) - 1)]),
    ),
    worstAfter: worstAfterFailovers(left, survivors, failovers),
  };
}

function worstAfterFailovers(
  left: readonly PlacedMember[],
  survivors: ReadonlyMap<string, readonly PlacedMember[]>,
  failovers: readonly string[],
): DomainLoss['worstAfter'] {
  const counts = new Map(mastersByDomain(left));
  for (const shard of failovers) {
    for (const domain of new Set(survivors.get(shard)?.map((member) => member.domain))) {
      counts.set(domain, (counts.get(domain) ?? 0) + 1);
    }
  }
  let worst = { domain: '', masters: 0 };
  for (const [domain, masters] of counts) {
    if (masters > worst.masters || worst.domain === '') worst = { domain, masters };
  }
  return worst;
}

function groupByShard(members: readonly PlacedMember[]): Map<string, PlacedMember[]> {
  const groups = new Map<string, PlacedMember[]>();
  for (const member of members) {
    const group = groups.get(member.shard);
    if (group === undefined) groups.set(member.shard, [member]);
    else group.push(member);
  }
  return groups;
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
