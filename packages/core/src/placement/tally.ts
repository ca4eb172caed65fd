/** Keeps the score of an assignment while shards are added and taken away. */
import { maxMastersPerDomain } from './domains.ts';
import { DomainTally } from './domain-tally.ts';
import { zonesKeepMembersApart, zonesKeepQuorum } from './failure-zones.ts';
import type { Assignment, PlacementProblem, ShardPlaces } from './placement-problem.ts';
import { membersPerZone } from './placement-problem.ts';
import type { Score } from './score.ts';

export class Tally {
  readonly hosts: DomainTally;
  readonly zones: DomainTally;
  /** Nodes by host, those fixed to a shard included. */
  readonly nodes: Int32Array;

  readonly #problem: PlacementProblem;
  readonly #zoneLimit: number;
  #sharedHosts = 0;
  #sharedZones = 0;
  #nodeSquares = 0;

  constructor(problem: PlacementProblem) {
    const shardCount = problem.shards.length;
    const masterLimit = maxMastersPerDomain(shardCount);
    const domainCount = problem.hosts.length;
    this.#problem = problem;
    this.#zoneLimit = membersPerZone(problem);
    this.nodes = new Int32Array(domainCount);
    this.hosts = new DomainTally({ domainCount, shardCount, masterLimit });
    this.zones = new DomainTally({ domainCount: problem.zoneCount, shardCount, masterLimit });
  }

  add(places: ShardPlaces): void {
    this.#count(places, 1);
  }

  remove(places: ShardPlaces): void {
    this.#count(places, -1);
  }

  score(): Score {
    const { allowSameHost, allowWeakQuorum, replicas, zoneCount } = this.#problem;
    const sameZone = zonesKeepMembersApart(zoneCount, 1 + replicas) ? this.#sharedZones : 0;
    const hostQuorum = this.hosts.excess;
    const zoneQuorum = zonesKeepQuorum(zoneCount) ? this.zones.excess : 0;
    const brokenSpread = allowSameHost ? 0 : this.#sharedHosts + sameZone;
    const brokenQuorum = allowWeakQuorum ? 0 : hostQuorum + zoneQuorum;
    return [
      brokenSpread + brokenQuorum,
      this.#sharedHosts,
      sameZone,
      hostQuorum,
      zoneQuorum,
      this.#sharedZones,
      zoneCount > 0 ? this.zones.worstAfterLoss() : 0,
      this.hosts.worstAfterLoss(),
      this.hosts.squares,
      this.#nodeSquares,
    ];
  }

  #count(places: ShardPlaces, sign: 1 | -1): void {
    const members = [places.master, ...places.replicas];
    for (const host of members) {
      const before = this.nodes[host] ?? 0;
      this.nodes[host] = before + sign;
      this.#nodeSquares += sign * 2 * before + 1;
    }
    const otherHosts = distinctOthers(places.replicas, places.master);
    this.#sharedHosts += sign * (members.length - new Set(members).size);
    this.hosts.count(places.master, otherHosts, sign);
    if (this.#problem.zoneCount > 0) this.#countZones(members, sign);
  }

  #countZones(members: readonly number[], sign: 1 | -1): void {
    const zones = members.map((host) => this.#problem.hosts[host]?.zone ?? 0);
    const master = zones[0] ?? 0;
    for (const zone of new Set(zones)) {
      const inZone = zones.filter((other) => other === zone).length;
      this.#sharedZones += sign * Math.max(0, inZone - this.#zoneLimit);
    }
    const others = distinctOthers(zones, master);
    const most = Math.min(this.#problem.zoneCount, members.length);
    this.#sharedZones += sign * (most - 1 - others.length);
    this.zones.count(master, others, sign);
  }
}

export function scoreOf(problem: PlacementProblem, assignment: Assignment): Score {
  const tally = new Tally(problem);
  for (const places of assignment) tally.add(places);
  return tally.score();
}

function distinctOthers(domains: readonly number[], self: number): number[] {
  return domains.filter((domain, index) => domain !== self && domains.indexOf(domain) === index);
}
