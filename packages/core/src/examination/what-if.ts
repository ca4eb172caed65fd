/**
 * What would be left if a host or zone died now: by actual roles, with what is dead already gone.
 *
 * Only replicas in sync count: one that is not would lose what it lacks, or may not stand for
 * election.
 */
import { RedroverError } from '../errors.ts';
import type { DomainOutcome } from '../model/domain-outcome.ts';
import { normalizeRanges } from '../model/slots.ts';
import { compareNames } from '../placement/candidate-hosts.ts';
import {
  mastersByDomain,
  whatIfDomainLost,
  type DomainLoss,
  type PlacedMember,
} from '../placement/domains.ts';
import { zoneOf } from '../placement/failure-zones.ts';
import { drawPicture, type ExaminationInput, type Picture } from './picture.ts';
import { actualMembers, actualShards, isInSync, ownSlots, type ActualShard } from './roles.ts';

/** One of both at the most; neither: every host of the cluster that is not lost already. */
export interface WhatIfScope {
  readonly host?: string | undefined;
  readonly zone?: string | undefined;
}

interface Domain {
  readonly kind: DomainOutcome['kind'];
  readonly name: string;
  /** Its hosts, which die at once. */
  readonly hosts: ReadonlySet<string>;
}

/** No host has that name: for all members that die, whatever their hosts. */
const GONE = '';

/**
 * @throws RedroverError `not-found` with the known hosts or zones, `invalid-argument` for both at
 * once.
 */
export function whatIf(input: ExaminationInput, scope: WhatIfScope = {}): DomainOutcome[] {
  const picture = drawPicture(input);
  const voting = actualShards(picture).filter(({ isEmpty }) => !isEmpty);
  const shards = voting.map((shard) => ({
    ...shard,
    replicas: shard.replicas.filter(isInSync),
  }));
  return chooseDomains(picture, scope).map((domain) => outcomeOf(picture, shards, domain));
}

function chooseDomains(picture: Picture, { host, zone }: WhatIfScope): Domain[] {
  if (host !== undefined && zone !== undefined) {
    throw new RedroverError('invalid-argument', 'name a host or a zone, not both');
  }
  const known = hostsOf(picture);
  const single = (name: string): Domain => ({ kind: 'host', name, hosts: new Set([name]) });
  if (zone !== undefined) return [zoneNamed(picture, zone)];
  if (host === undefined) {
    const { observation } = picture;
    return known.filter((name) => observation.hosts[name]?.status !== 'lost').map(single);
  }
  if (known.includes(host)) return [single(host)];
  throw new RedroverError(
    'not-found',
    `cluster ${picture.layout.cluster} has no nodes on a host '${host}'; ` +
      `its hosts are ${known.join(', ')}`,
  );
}

function zoneNamed(picture: Picture, zone: string): Domain {
  const { layout, hosts } = picture;
  const used = new Set(hostsOf(picture));
  const byZone = Map.groupBy(
    hosts.filter(({ name }) => used.has(name)),
    (host) => zoneOf(host, layout.zoneLabel),
  );
  const found = byZone.get(zone);
  if (found !== undefined) {
    return { kind: 'zone', name: zone, hosts: new Set(found.map(({ name }) => name)) };
  }
  const known = [...byZone.keys()].filter((name) => name !== undefined).sort(compareNames);
  throw new RedroverError(
    'not-found',
    known.length === 0
      ? `no host of cluster ${layout.cluster} has the label ${layout.zoneLabel}`
      : `cluster ${layout.cluster} has no hosts with ${layout.zoneLabel}=${zone}; ` +
          `there are ${known.join(', ')}`,
  );
}

/** Those that nodes of earlier layouts still serve on included. */
function hostsOf({ layout, formerSpeakers }: Picture): string[] {
  const names = [...layout.nodes, ...formerSpeakers.map(({ node }) => node)].map(
    ({ host }) => host,
  );
  return [...new Set(names)].sort(compareNames);
}

function outcomeOf(
  picture: Picture,
  shards: readonly ActualShard[],
  domain: Domain,
): DomainOutcome {
  const members = actualMembers(shards, ({ node }) =>
    domain.hosts.has(node.host) ? GONE : node.host,
  );
  const loss = whatIfDomainLost(members, GONE);
  const mastersNeeded = Math.floor(shards.length / 2) + 1;
  const quorumKept = loss.mastersLeft >= mastersNeeded;
  const failovers = quorumKept ? loss.failovers : [];
  const alive = new Set(members.map((member) => member.shard));
  const isLost = (id: string) => !alive.has(id) || loss.lostShards.includes(id);
  const lost = shards.filter(({ shard }) => isLost(shard.id));
  const worst = quorumKept ? loss.worstAfter : mostMasters(members);
  const busiest = findBusiest(picture, { members, failovers });
  return {
    kind: domain.kind,
    domain: domain.name,
    mastersThere: members
      .filter(({ domain: at, role }) => at === GONE && role === 'master')
      .map(({ node }) => node),
    lostSlots: normalizeRanges(
      lost.flatMap(({ shard, masters }) =>
        masters.length === 0 ? shard.slots : masters.flatMap(ownSlots),
      ),
    ),
    lostShards: lost.map(({ shard }) => shard.id),
    failovers,
    mastersLeft: loss.mastersLeft,
    mastersNeeded,
    quorumKept,
    replicasLeft: Object.fromEntries(
      shards.map(({ shard }) => [shard.id, loss.replicasLeft[shard.id] ?? 0]),
    ),
    busiestHost: busiest.host,
    busiestHostUsedBytes: busiest.usedBytes,
    busiestHostMemoryBytes: memoryOf(picture, busiest.host),
    worstHostAfter: worst.domain,
    worstHostMastersAfter: worst.masters,
  };
}

/** Without a majority nobody is promoted: what is left is all there is. */
function mostMasters(members: readonly PlacedMember[]): DomainLoss['worstAfter'] {
  const left = [...mastersByDomain(members.filter(({ domain }) => domain !== GONE))];
  const [worst] = left.sort(([, a], [, b]) => b - a);
  return { domain: worst?.[0] ?? '', masters: worst?.[1] ?? 0 };
}

/**
 * Any replica of a shard may win its election, so what it holds counts on each host that has one.
 */
function findBusiest(
  { byId }: Picture,
  after: { readonly members: readonly PlacedMember[]; readonly failovers: readonly string[] },
): { readonly host: string; readonly usedBytes: number } {
  const used = new Map(
    [...byId.values()].map(({ node, redis }) => [node.key, redis.usedMemoryBytes]),
  );
  const totals = new Map<string, number>();
  for (const { node, shard, domain, role } of after.members) {
    const mayServe = role === 'master' || after.failovers.includes(shard);
    if (domain === GONE || !mayServe) continue;
    totals.set(domain, (totals.get(domain) ?? 0) + (used.get(node) ?? 0));
  }
  const [busiest] = [...totals].sort(([, a], [, b]) => b - a);
  return { host: busiest?.[0] ?? '', usedBytes: busiest?.[1] ?? 0 };
}

function memoryOf({ hosts, observation }: Picture, name: string): number {
  const facts = hosts.find((host) => host.name === name)?.facts ?? observation.hosts[name]?.facts;
  return facts?.memoryBytes ?? 0;
}
