/** Decides which hosts a spec may use, and how much of each. */
import type { Finding } from '../model/finding.ts';
import type { Host } from '../model/host.ts';
import type { ClusterSpec } from '../model/spec.ts';
import { allocatePorts } from './allocate-ports.ts';
import { zoneOf, zonesOfHosts } from './failure-zones.ts';
import { memoryCapacity } from './host-capacity.ts';

export interface CandidateHost {
  readonly host: Host;
  /** Nodes that fit into its memory; Infinity when memory is not checked. */
  readonly memoryCapacity: number;
  /** Nodes that find ports, as far as this cluster could want them. */
  readonly portCapacity: number;
}

export interface Candidates {
  /** In the order of their names, `h2` before `h10`. */
  readonly hosts: readonly CandidateHost[];
  /** Zone by host name; undefined when zones do not count. */
  readonly zones: ReadonlyMap<string, string> | undefined;
  /** Hosts left aside, and why. */
  readonly findings: readonly Finding[];
  readonly refusals: readonly Finding[];
}

export function findCandidates(spec: ClusterSpec, hosts: readonly Host[]): Candidates {
  const pinned = spec.nodes.length > 0;
  const named = pinned ? spec.nodes.map((node) => node.host) : spec.placement.hosts;
  const wanted = [...new Set(named)];
  const byName = new Map(hosts.map((host) => [host.name, host]));
  const found = wanted.flatMap((name) => byName.get(name) ?? []);
  const pool = wanted.length === 0 ? hosts : found;
  // A pinned node stays where it is put; its host's being away for a moment is a warning of lint.
  const used = pool.filter(
    (host) => host.status === 'online' || (pinned && host.status !== 'lost'),
  );
  const sorted = [...used].sort((a, b) => compareNames(a.name, b.name));
  const zones = zonesOfHosts(sorted, spec.placement.zoneLabel);
  return {
    hosts: sorted.map((host) => ({
      host,
      memoryCapacity: memoryCapacity(host, spec.maxmemoryBytes),
      portCapacity: portCapacity(spec, host),
    })),
    zones,
    findings: [
      ...(pinned ? [] : pool.filter((host) => !used.includes(host)).map(leftAside)),
      ...unlabelled(sorted, spec.placement.zoneLabel),
    ],
    refusals: [
      ...wanted.filter((name) => !byName.has(name)).map((name) => unknownHost(name, hosts)),
      ...found.filter((host) => host.status === 'lost').map(lostHost),
    ],
  };
}

/** Digits by their value, so that a person finds the order natural; then by code unit. */
export function compareNames(a: string, b: string): number {
  const natural = a.localeCompare(b, 'en', { numeric: true });
  if (natural !== 0) return natural;
  return a < b ? -1 : Number(a > b);
}

function portCapacity(spec: ClusterSpec, host: Host): number {
  const perShard = spec.placement.allowSameHost ? 1 + spec.replicas : 1;
  const count = spec.shards * perShard;
  const { basePort } = spec.placement;
  return allocatePorts({ basePort, count, usedPorts: host.usedPorts }).length;
}

function unknownHost(name: string, hosts: readonly Host[]): Finding {
  const known = hosts.map((host) => host.name).sort(compareNames);
  const list = known.length === 0 ? 'there are none yet' : `known hosts: ${known.join(', ')}`;
  return {
    rule: 'host-known',
    severity: 'critical',
    subject: name,
    message: `Unknown host '${name}'; ${list}.`,
    evidence: [],
    remedy: `Correct the name, or enrol an agent as ${name}.`,
  };
}

function lostHost(host: Host): Finding {
  return {
    rule: 'host-online',
    severity: 'critical',
    subject: host.name,
    message: `Host ${host.name} is lost: its agent has not been heard of for too long.`,
    evidence: [],
    remedy: `Bring its agent back (redrover host show ${host.name}), or leave the host out.`,
  };
}

function leftAside(host: Host): Finding {
  return {
    rule: 'host-not-used',
    severity: 'warning',
    subject: host.name,
    message: `Host ${host.name} is ${host.status} and gets no nodes.`,
    evidence: [],
    remedy: `Bring its agent back (redrover host show ${host.name}) and plan again.`,
  };
}

/** A few labels among many hosts are more likely forgotten than meant. */
function unlabelled(hosts: readonly Host[], label: string): Finding[] {
  const without = hosts.filter((host) => zoneOf(host, label) === undefined);
  if (without.length === 0 || without.length === hosts.length) return [];
  return [
    {
      rule: 'zones-not-used',
      severity: 'warning',
      subject: label,
      message: `Some hosts have no label ${label}, so zones are not kept apart.`,
      evidence: without.map((host) => host.name),
      remedy: `Give every host the label ${label}.`,
    },
  ];
}
