/**
 * The nearest changes of a spec or its hosts that do give a layout. Each is tried by planning it,
 * so that nothing is promised that does not work.
 */
import type { Host } from '../model/host.ts';
import type { ClusterSpec } from '../model/spec.ts';
import { formatMemorySize } from '../spec/memory-size.ts';
import type { CandidateHost } from './candidate-hosts.ts';
import { zoneOf, zonesOfHosts } from './failure-zones.ts';

/** Beyond these the change is no longer near to what was asked for. */
const MAX_ADDED_HOSTS = 6;
const MAX_SHARD_DISTANCE = 4;

const MIN_SHARDS = 3;
/** Eighths of the maxmemory that was asked for. */
const MEMORY_EIGHTHS = [7, 6, 5, 4, 3, 2, 1] as const;
const MEBIBYTE = 1024 ** 2;

/** Usual choices, far enough from one another that one of them is mostly free. */
const BASE_PORTS = [6379, 7000, 16_000, 26_000, 36_000] as const;

export interface AlternativeSearch {
  readonly spec: ClusterSpec;
  readonly hosts: readonly Host[];
  readonly candidates: readonly CandidateHost[];
  /** Whether there is a layout for the spec on the hosts. */
  readonly works: (spec: ClusterSpec, hosts: readonly Host[]) => boolean;
}

/** Worded so that they can follow "What would work:". */
export function findAlternatives(search: AlternativeSearch): string[] {
  const free = search.spec.nodes.length === 0;
  return [
    ...(free ? [...addedHosts(search), ...otherShards(search), ...fewerReplicas(search)] : []),
    ...lessMemory(search),
    ...(free ? otherPorts(search) : unpinned(search)),
    ...acceptedRisks(search),
  ];
}

function addedHosts(search: AlternativeSearch): string[] {
  const { spec, hosts, candidates, works } = search;
  const like = candidates[0]?.host;
  if (like === undefined) return [];
  for (let count = 1; count <= MAX_ADDED_HOSTS; count += 1) {
    for (const newZones of [false, true]) {
      const added = newHosts(search, { like, count, newZones });
      if (added === undefined) continue;
      const names = added.map((host) => host.name);
      const named = spec.placement.hosts.length > 0 ? [...spec.placement.hosts, ...names] : [];
      if (
        !works({ ...spec, placement: { ...spec.placement, hosts: named } }, [...hosts, ...added])
      ) {
        continue;
      }
      const where = newZones ? `, one to a new ${spec.placement.zoneLabel}` : '';
      const total = candidates.length + count;
      return [`${count} more ${noun('host', count)} like ${like.name} (${total} in all${where})`];
    }
  }
  return [];
}

/** Undefined when zones are wanted but do not count. */
function newHosts(
  search: AlternativeSearch,
  options: { readonly like: Host; readonly count: number; readonly newZones: boolean },
): Host[] | undefined {
  const { like, count, newZones } = options;
  const label = search.spec.placement.zoneLabel;
  const known = search.candidates.map(({ host }) => host);
  const zones = zonesOfHosts(known, label);
  if (newZones && zones === undefined) return undefined;
  const taken = new Set(search.hosts.map((host) => host.name));
  const added: Host[] = [];
  for (let number = 1; added.length < count; number += 1) {
    const name = `new-${number}`;
    if (taken.has(name)) continue;
    const zone = newZones ? name : smallestZone([...known, ...added], label);
    const labels = zone === undefined ? like.labels : { ...like.labels, [label]: zone };
    added.push({ ...like, name, address: name, labels, usedPorts: [], reservedBytes: 0 });
  }
  return added;
}

function smallestZone(hosts: readonly Host[], label: string): string | undefined {
  const counts = new Map<string, number>();
  for (const host of hosts) {
    const zone = zoneOf(host, label);
    if (zone !== undefined) counts.set(zone, (counts.get(zone) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => a - b)[0]?.[0];
}

/** The nearest number of shards above, and the nearest below. */
function otherShards({ spec, hosts, works }: AlternativeSearch): string[] {
  return [1, -1].flatMap((step) => {
    for (let distance = 1; distance <= MAX_SHARD_DISTANCE; distance += 1) {
      const shards = spec.shards + step * distance;
      if (shards < MIN_SHARDS) return [];
      if (works({ ...spec, shards }, hosts)) return [`${shards} shards`];
    }
    return [];
  });
}

/** Never none at all: losing a host would then lose data. */
function fewerReplicas({ spec, hosts, works }: AlternativeSearch): string[] {
  for (let replicas = spec.replicas - 1; replicas >= 1; replicas -= 1) {
    if (works({ ...spec, replicas }, hosts)) return [`${replicas} ${noun('replica', replicas)}`];
  }
  return [];
}

function lessMemory({ spec, hosts, works }: AlternativeSearch): string[] {
  if (spec.maxmemoryBytes === undefined) return [];
  for (const eighths of MEMORY_EIGHTHS) {
    const maxmemoryBytes = Math.floor((spec.maxmemoryBytes * eighths) / 8 / MEBIBYTE) * MEBIBYTE;
    if (maxmemoryBytes < MEBIBYTE) return [];
    if (works({ ...spec, maxmemoryBytes }, hosts)) {
      return [`maxmemory ${formatMemorySize(maxmemoryBytes)}`];
    }
  }
  return [];
}

function otherPorts({ spec, hosts, works }: AlternativeSearch): string[] {
  for (const basePort of BASE_PORTS) {
    if (works({ ...spec, placement: { ...spec.placement, basePort } }, hosts)) {
      return [`basePort ${basePort}`];
    }
  }
  return [];
}

function unpinned({ spec, hosts, works }: AlternativeSearch): string[] {
  const placeable = works({ ...spec, nodes: [] }, hosts);
  return placeable ? ['leaving out nodes, so that they are placed freely'] : [];
}

/** Both risks at once only if neither is enough. */
function acceptedRisks({ spec, hosts, works }: AlternativeSearch): string[] {
  const accepts = (risks: Partial<ClusterSpec['placement']>) =>
    works({ ...spec, placement: { ...spec.placement, ...risks } }, hosts);
  const { allowSameHost, allowWeakQuorum } = spec.placement;
  const single: string[] = [];
  if (!allowWeakQuorum && accepts({ allowWeakQuorum: true })) single.push('--allow-weak-quorum');
  if (!allowSameHost && accepts({ allowSameHost: true })) {
    single.push('--allow-same-host (for trials)');
  }
  if (single.length > 0 || allowSameHost || allowWeakQuorum) return single;
  const both = accepts({ allowSameHost: true, allowWeakQuorum: true });
  return both ? ['--allow-same-host with --allow-weak-quorum (for trials)'] : [];
}

function noun(word: string, count: number): string {
  return count === 1 ? word : `${word}s`;
}
