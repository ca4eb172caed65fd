/**
 * The rules that every layout must keep before it may become current, one small function each.
 *
 * A `critical` finding means: must not become current. A `warning` is a risk that was accepted by
 * name or that may pass, an `info` is something that was not checked. Nothing here is shared with
 * the code that makes layouts, save the facts about memory, ports and zones.
 */
import type { Finding, Severity } from '../model/finding.ts';
import type { Host } from '../model/host.ts';
import type { Layout } from '../model/layout.ts';
import { lintDrained } from './lint-drained.ts';
import { lintForm } from './lint-form.ts';
import { lintPorts } from './lint-ports.ts';
import type { PlacedMember } from './domains.ts';
import { findQuorumRisks, findSharedDomains } from './domains.ts';
import { zonesKeepMembersApart, zonesKeepQuorum, zonesOfHosts } from './failure-zones.ts';
import { hostBudgetBytes, nodeMemoryBytes } from './host-capacity.ts';

type Rule = (layout: Layout, hosts: readonly Host[]) => Finding[];

const RULES: readonly Rule[] = [
  lintForm,
  lintHostsKnown,
  lintHostsOnline,
  lintPorts,
  lintSameHost,
  lintSameZone,
  lintHostQuorum,
  lintZoneQuorum,
  lintMemory,
  lintReplicas,
  lintDrained,
];

/** All findings about a layout on the known hosts, of whatever status these are. */
export function lintLayout(layout: Layout, hosts: readonly Host[]): Finding[] {
  return RULES.flatMap((rule) => rule(layout, hosts));
}

/** Whether the layout may become current. */
export function isAcceptable(findings: readonly Finding[]): boolean {
  return findings.every((finding) => finding.severity !== 'critical');
}

function lintHostsKnown(layout: Layout, hosts: readonly Host[]): Finding[] {
  const known = new Set(hosts.map((host) => host.name));
  return unique(layout.nodes.map((node) => node.host))
    .filter((name) => !known.has(name))
    .map((name) => ({
      rule: 'host-known',
      severity: 'critical',
      subject: name,
      message: `Host ${name} carries nodes of the layout but no agent of that name is enrolled.`,
      evidence: nodesOn(layout, name),
      remedy: `Enrol an agent as ${name}, or choose another host.`,
    }));
}

function lintHostsOnline(layout: Layout, hosts: readonly Host[]): Finding[] {
  const used = new Set(layout.nodes.map((node) => node.host));
  // Of a drained host nothing is wanted, so it may be away.
  for (const name of layout.drainedHosts) used.delete(name);
  return hosts
    .filter((host) => used.has(host.name) && host.status !== 'online')
    .map((host) => ({
      rule: 'host-online',
      severity: 'warning',
      subject: host.name,
      message: `Host ${host.name} carries nodes of the layout and is ${host.status}.`,
      evidence: nodesOn(layout, host.name),
      remedy: `Bring the host or its agent back: redrover host show ${host.name}`,
    }));
}

/** Rule 1: members of a shard that share a host are lost together. */
function lintSameHost(layout: Layout): Finding[] {
  return findSharedDomains(membersByHost(layout)).map(({ shard, domain, nodes }) => ({
    rule: 'same-host',
    severity: acceptedBy(layout.allowSameHost),
    subject: shard,
    message: `Shard ${shard} has ${nodes.length} members on host ${domain}; they fall together.`,
    evidence: nodes,
    remedy: 'Put them on different hosts, or accept it for a trial with --allow-same-host.',
  }));
}

/** Rule 1 for zones, when there are enough of them. */
function lintSameZone(layout: Layout, hosts: readonly Host[]): Finding[] {
  const members = membersByZone(layout, hosts);
  const zoneCount = unique(members.map((member) => member.domain)).length;
  if (!zonesKeepMembersApart(zoneCount, largestShard(layout))) return [];
  return findSharedDomains(members).map(({ shard, domain, nodes }) => ({
    rule: 'same-zone',
    severity: acceptedBy(layout.allowSameHost),
    subject: shard,
    message: `Shard ${shard} has ${nodes.length} members in ${layout.zoneLabel} ${domain}.`,
    evidence: nodes,
    remedy: `Put them into different zones; there are ${zoneCount}.`,
  }));
}

/** Rule 2: losing any one host must leave a majority of masters. */
function lintHostQuorum(layout: Layout): Finding[] {
  return quorumFindings(layout, membersByHost(layout), { rule: 'quorum-per-host', kind: 'host' });
}

/** Rule 2 for zones: with fewer than three it cannot be kept. */
function lintZoneQuorum(layout: Layout, hosts: readonly Host[]): Finding[] {
  const members = membersByZone(layout, hosts);
  const zoneCount = unique(members.map((member) => member.domain)).length;
  if (!zonesKeepQuorum(zoneCount)) return [];
  return quorumFindings(layout, members, { rule: 'quorum-per-zone', kind: layout.zoneLabel });
}

function quorumFindings(
  layout: Layout,
  members: readonly PlacedMember[],
  { rule, kind }: { readonly rule: string; readonly kind: string },
): Finding[] {
  const voters = votingShards(layout);
  const voting = members.filter(({ shard }) => voters.has(shard));
  return findQuorumRisks(voting).map(({ domain, masters, limit }) => ({
    rule,
    severity: acceptedBy(layout.allowWeakQuorum),
    subject: domain,
    message:
      `${capitalize(kind)} ${domain} holds ${masters} of ${voters.size} masters: ` +
      'without it there is no majority left, and the cluster stops.',
    evidence: [`at most ${limit} may be on one ${kind}`],
    remedy: 'Spread the masters over more hosts, or accept the risk with --allow-weak-quorum.',
  }));
}

/** Only masters with slots vote (Redis Cluster specification, "Replica election and promotion"). */
function votingShards({ shards }: Layout): ReadonlySet<string> {
  return new Set(shards.filter(({ slots }) => slots.length > 0).map(({ id }) => id));
}

/** Rule 3: what the nodes may come to use is there. */
function lintMemory(layout: Layout, hosts: readonly Host[]): Finding[] {
  if (layout.maxmemoryBytes === undefined) return [memoryNotChecked(layout)];
  const needBytes = nodeMemoryBytes(layout.maxmemoryBytes);
  return hosts.flatMap((host) => {
    const count = nodesOn(layout, host.name).length;
    const budgetBytes = hostBudgetBytes(host);
    if (count === 0 || (budgetBytes !== undefined && count * needBytes <= budgetBytes)) return [];
    return [memoryFinding(host, { count, needBytes, budgetBytes })];
  });
}

function memoryNotChecked(layout: Layout): Finding {
  return {
    rule: 'memory-not-checked',
    severity: 'info',
    subject: layout.cluster,
    message: 'The spec sets no maxmemory, so whether the nodes fit into memory is not checked.',
    evidence: [],
    remedy: 'Set maxmemory in the spec.',
  };
}

function memoryFinding(
  host: Host,
  found: {
    readonly count: number;
    readonly needBytes: number;
    readonly budgetBytes?: number | undefined;
  },
): Finding {
  const { count, needBytes, budgetBytes } = found;
  const unknown = budgetBytes === undefined;
  return {
    rule: unknown ? 'memory-unknown' : 'memory-fits',
    severity: unknown ? 'warning' : 'critical',
    subject: host.name,
    message: unknown
      ? `Host ${host.name} has not told how much memory it has.`
      : `${count} nodes on host ${host.name} may use ${mebibytes(count * needBytes)}, but it has ` +
        `${mebibytes(budgetBytes)} for them.`,
    evidence: [`a node may use ${mebibytes(needBytes)}`],
    remedy: unknown
      ? `Wait for its agent: redrover host show ${host.name}`
      : 'Lower maxmemory, use more hosts, or hosts with more memory.',
  };
}

function lintReplicas(layout: Layout): Finding[] {
  if (layout.nodes.length > layout.shards.length || layout.nodes.length === 0) return [];
  return [
    {
      rule: 'no-replicas',
      severity: 'warning',
      subject: layout.cluster,
      message: 'The shards have no replicas: losing a host loses the data of its masters.',
      evidence: [],
      remedy: 'Set replicas to 1 or more.',
    },
  ];
}

function membersByHost(layout: Layout): PlacedMember[] {
  return layout.nodes.map((node) => ({
    node: node.key,
    shard: node.shard,
    domain: node.host,
    role: node.preferredRole,
  }));
}

/** Empty when a host of the layout has no zone: then zones do not count. */
function membersByZone(layout: Layout, hosts: readonly Host[]): PlacedMember[] {
  const used = new Set(layout.nodes.map((node) => node.host));
  const zones = zonesOfHosts(
    hosts.filter((host) => used.has(host.name)),
    layout.zoneLabel,
  );
  if (zones === undefined || zones.size < used.size) return [];
  return membersByHost(layout).map((member) => ({
    ...member,
    domain: zones.get(member.domain) ?? '',
  }));
}

function largestShard(layout: Layout): number {
  const sizes = new Map<string, number>();
  for (const { shard } of layout.nodes) sizes.set(shard, (sizes.get(shard) ?? 0) + 1);
  return Math.max(1, ...sizes.values());
}

function nodesOn(layout: Layout, host: string): string[] {
  return layout.nodes.filter((node) => node.host === host).map((node) => node.key);
}

function acceptedBy(allowed: boolean): Severity {
  return allowed ? 'warning' : 'critical';
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}

function capitalize(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 ** 2)} MiB`;
}
