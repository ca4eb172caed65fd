/** Says why there is no layout: first what counting shows, else which rules the nearest breaks. */
import type { Finding } from '../model/finding.ts';
import type { ClusterSpec } from '../model/spec.ts';
import type { CandidateHost } from './candidate-hosts.ts';
import { maxMastersPerDomain } from './domains.ts';
import { zonesKeepMembersApart, zonesKeepQuorum, zonesOfHosts } from './failure-zones.ts';
import { nodeMemoryBytes } from './host-capacity.ts';

/** More lines of evidence are no more convincing. */
const MAX_EVIDENCE = 10;

type Reason = (spec: ClusterSpec, candidates: readonly CandidateHost[]) => Finding[];

const REASONS: readonly Reason[] = [
  explainHosts,
  explainMembers,
  explainMemory,
  explainPorts,
  explainHostQuorum,
  explainZoneQuorum,
  explainZoneRoom,
];

/** What counting shows for nodes that are placed freely; may be empty though there is no layout. */
export function explainByCounting(
  spec: ClusterSpec,
  candidates: readonly CandidateHost[],
): Finding[] {
  return REASONS.flatMap((reason) => reason(spec, candidates));
}

/** When nothing simpler explains it. */
export function explainNothingFound(spec: ClusterSpec, proved: boolean): Finding {
  return refusal(spec, {
    rule: 'no-layout',
    message: proved
      ? 'The placement rules cannot all be kept at once on these hosts.'
      : 'No layout was found that keeps all placement rules; as not all were tried, one may exist.',
    evidence: [],
  });
}

function explainHosts(spec: ClusterSpec, candidates: readonly CandidateHost[]): Finding[] {
  if (candidates.length > 0) return [];
  const message = 'No host is online that the spec may use.';
  return [refusal(spec, { rule: 'no-hosts', message, evidence: [] })];
}

function explainMembers(spec: ClusterSpec, candidates: readonly CandidateHost[]): Finding[] {
  const members = 1 + spec.replicas;
  const count = candidates.length;
  if (spec.placement.allowSameHost || count === 0 || count >= members) return [];
  const message =
    `A master with ${plural(spec.replicas, 'replica')} needs ${members} different hosts, and ` +
    `${plural(count, 'host')} can be used.`;
  return [refusal(spec, { rule: 'same-host', message, evidence: names(candidates) })];
}

function explainMemory(spec: ClusterSpec, candidates: readonly CandidateHost[]): Finding[] {
  if (spec.maxmemoryBytes === undefined) return [];
  const count = spec.shards * (1 + spec.replicas);
  const rooms = candidates.map((host) => Math.min(host.memoryCapacity, mostOnOne(spec)));
  const room = rooms.reduce((sum, nodes) => sum + nodes, 0);
  if (room >= count) return [];
  const need = Math.ceil(nodeMemoryBytes(spec.maxmemoryBytes) / 1024 ** 2);
  const message =
    `${plural(count, 'node')} that may use ${need} MiB each do not fit: there is memory for ` +
    `${room} where they may go.`;
  const evidence = candidates.map(({ host, memoryCapacity }) =>
    host.facts === undefined
      ? `${host.name}: its memory is not known yet`
      : `${host.name}: room for ${plural(memoryCapacity, 'node')}`,
  );
  return [refusal(spec, { rule: 'memory-fits', message, evidence })];
}

function explainPorts(spec: ClusterSpec, candidates: readonly CandidateHost[]): Finding[] {
  const count = spec.shards * (1 + spec.replicas);
  const room = candidates.reduce(
    (sum, host) => sum + Math.min(host.portCapacity, mostOnOne(spec)),
    0,
  );
  const hostsRoom = candidates.length * mostOnOne(spec);
  if (room >= count || hostsRoom < count) return [];
  const message =
    `${plural(count, 'node')} do not find ports from ${spec.placement.basePort} up whose bus ` +
    `port (10000 above) is free and not above 65535: there are ${room}.`;
  const evidence = candidates.map(
    ({ host, portCapacity }) => `${host.name}: ${plural(portCapacity, 'free port')}`,
  );
  return [refusal(spec, { rule: 'port-free', message, evidence })];
}

function explainHostQuorum(spec: ClusterSpec, candidates: readonly CandidateHost[]): Finding[] {
  const limit = maxMastersPerDomain(spec.shards);
  const room = candidates.length * limit;
  if (spec.placement.allowWeakQuorum || candidates.length === 0 || room >= spec.shards) return [];
  const message =
    `Losing one host must leave a majority of the ${spec.shards} masters, so a host may hold ` +
    `${limit} of them at most; ${plural(candidates.length, 'host')} can hold only ${room}.`;
  return [refusal(spec, { rule: 'quorum-per-host', message, evidence: names(candidates) })];
}

function explainZoneQuorum(spec: ClusterSpec, candidates: readonly CandidateHost[]): Finding[] {
  const zones = hostsByZone(spec, candidates);
  const limit = maxMastersPerDomain(spec.shards);
  if (spec.placement.allowWeakQuorum || !zonesKeepQuorum(zones.size)) return [];
  const rooms = [...zones.values()].map((hosts) => Math.min(limit, hosts.length * limit));
  const room = rooms.reduce((sum, masters) => sum + masters, 0);
  if (room >= spec.shards) return [];
  const message =
    `Losing one ${spec.placement.zoneLabel} must leave a majority of the ${spec.shards} masters, ` +
    `so it may hold ${limit} of them at most; ${zones.size} can hold only ${room}.`;
  return [refusal(spec, { rule: 'quorum-per-zone', message, evidence: [...zones.keys()] })];
}

function explainZoneRoom(spec: ClusterSpec, candidates: readonly CandidateHost[]): Finding[] {
  const zones = hostsByZone(spec, candidates);
  const members = 1 + spec.replicas;
  if (spec.placement.allowSameHost || zones.size < 2) return [];
  if (!zonesKeepMembersApart(zones.size, members)) return [];
  const rooms = [...zones].map(([zone, hosts]) => {
    const inZone = hosts.reduce((sum, host) => sum + host.memoryCapacity, 0);
    return { zone, room: Math.min(spec.shards, inZone) };
  });
  const room = rooms.reduce((sum, entry) => sum + entry.room, 0);
  if (room >= spec.shards * members) return [];
  const message =
    `The members of a shard must be in different zones (${spec.placement.zoneLabel}), where ` +
    `there is room for ${room} of ${spec.shards * members} nodes.`;
  const evidence = rooms.map((entry) => `${entry.zone}: room for ${plural(entry.room, 'node')}`);
  return [refusal(spec, { rule: 'same-zone', message, evidence })];
}

function hostsByZone(
  spec: ClusterSpec,
  candidates: readonly CandidateHost[],
): ReadonlyMap<string, CandidateHost[]> {
  const groups = new Map<string, CandidateHost[]>();
  const zones = zonesOfHosts(
    candidates.map(({ host }) => host),
    spec.placement.zoneLabel,
  );
  for (const candidate of candidates) {
    const zone = zones?.get(candidate.host.name);
    if (zone !== undefined) groups.set(zone, [...(groups.get(zone) ?? []), candidate]);
  }
  return groups;
}

/** How many nodes one host may carry at the most by rule 1. */
function mostOnOne(spec: ClusterSpec): number {
  return spec.placement.allowSameHost ? spec.shards * (1 + spec.replicas) : spec.shards;
}

function names(candidates: readonly CandidateHost[]): string[] {
  return candidates.map(({ host }) => host.name);
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function refusal(
  spec: ClusterSpec,
  { rule, message, evidence }: Pick<Finding, 'rule' | 'message' | 'evidence'>,
): Finding {
  const more = evidence.length - MAX_EVIDENCE;
  const shown = more > 0 ? [...evidence.slice(0, MAX_EVIDENCE), `and ${more} more`] : evidence;
  return { rule, severity: 'critical', subject: spec.name, message, evidence: shown, remedy: '' };
}
