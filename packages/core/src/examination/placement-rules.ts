/**
 * Placement on actual roles: what losing a host or zone would cost now, after whatever failovers.
 *
 * Role drift is a safety defect, not a matter of taste: masters that have gathered on few hosts
 * go down together. What the layout itself accepts is told as information.
 */
import type { Finding, Severity } from '../model/finding.ts';
import {
  findSharedDomains,
  whatIfDomainLost,
  type DomainLoss,
  type PlacedMember,
} from '../placement/domains.ts';
import {
  zonesKeepMembersApart,
  zonesKeepQuorum,
  zonesOfHosts,
} from '../placement/failure-zones.ts';
import { limitLines, listSome, type Picture } from './picture.ts';
import { actualMembers, actualShards } from './roles.ts';

/** Hosts or zones: what may be lost at once. */
interface Domains {
  readonly kind: 'host' | 'zone';
  readonly domainOf: (host: string) => string;
  readonly keepApart: boolean;
  readonly keepQuorum: boolean;
}

export function findSharedFate(picture: Picture): Finding[] {
  return domainsOf(picture)
    .filter((domains) => domains.keepApart)
    .flatMap((domains) => {
      const accepted = picture.layout.allowSameHost && domains.kind === 'host';
      return findSharedDomains(membersNow(picture, domains)).map(({ shard, domain, nodes }) => ({
        rule: `same-${domains.kind}`,
        severity: accepted ? ('info' as const) : ('critical' as const),
        subject: shard,
        message: `Shard ${shard} has ${listSome(nodes)} on ${domains.kind} ${domain} together.`,
        evidence: nodes.map((key) => `node ${key}`),
        remedy: accepted
          ? 'Accepted by the layout; for production put them on different hosts.'
          : `Let replicas follow the masters of their own shards: redrover cluster repair ${picture.layout.cluster}`,
      }));
    });
}

/** "If host H dies now": slots lost, or the majority of masters. */
export function findDomainRisks(picture: Picture): Finding[] {
  return domainsOf(picture).flatMap((domains) => {
    const now = membersNow(picture, domains);
    const voters = actualShards(picture).filter(({ isEmpty }) => !isEmpty).length;
    const planned = membersPlanned(picture, domains);
    return [...new Set(now.map((member) => member.domain))].flatMap((domain) =>
      judgeLoss(
        { domains, members: now, cluster: picture.layout.cluster, voters },
        whatIfDomainLost(now, domain),
        whatIfDomainLost(planned, domain),
      ),
    );
  });
}

/** Nodes whose role is not the preferred one, or not what stands in for it during a maintenance. */
export function findRoleDrift(picture: Picture): Finding[] {
  const lines = picture.speakers.flatMap(({ node, redis }) => {
    const role = picture.roles.get(node.key);
    if (role === redis.role || role === 'stopped') return [];
    return [
      `${node.key}: ${redis.role}, ${role === node.preferredRole ? 'preferred' : 'now'} ${role}`,
    ];
  });
  if (lines.length === 0) return [];
  return [
    {
      rule: 'role-drift',
      severity: 'info',
      subject: picture.layout.cluster,
      message: `Not in the role that the layout prefers: ${lines.length} of its nodes.`,
      evidence: limitLines(lines),
      remedy:
        'Harmless while no other finding says otherwise. Bring roles home: ' +
        `redrover cluster repair ${picture.layout.cluster}`,
    },
  ];
}

interface JudgedDomains {
  readonly domains: Domains;
  readonly members: readonly PlacedMember[];
  readonly cluster: string;
  /** Shards with slots: their masters are who votes. */
  readonly voters: number;
}

function judgeLoss(
  { domains, members, cluster, voters }: JudgedDomains,
  now: DomainLoss,
  planned: DomainLoss,
): Finding[] {
  const where = `${domains.kind} ${now.domain}`;
  const on = members.filter((member) => member.domain === now.domain);
  const masters = on.filter((member) => member.role === 'master');
  const evidence = [
    `masters there: ${listSome(masters.map((member) => member.node)) || 'none'}`,
    `masters left without it: ${now.mastersLeft}`,
  ];
  const findings: Finding[] = [];
  if (now.lostShards.length > 0) {
    findings.push({
      rule: `${domains.kind}-loss-loses-slots`,
      severity: severityOf(planned.lostShards.length > 0),
      subject: now.domain,
      message: `If ${where} dies now, all members of ${listSome(now.lostShards)} are gone.`,
      evidence,
      remedy:
        `Bring the other replicas of these shards back: redrover cluster repair ${cluster}; or plan ` +
        'a layout with more.',
    });
  }
  // Masters that are dead already still count: the majority is of all that own slots.
  const mastersNeeded = Math.floor(voters / 2) + 1;
  if (domains.keepQuorum && now.mastersLeft < mastersNeeded) {
    findings.push({
      rule: `${domains.kind}-loss-loses-quorum`,
      severity: severityOf(!planned.quorumKept),
      subject: now.domain,
      message: `If ${where} dies now, no majority of masters is left, and no failover happens.`,
      evidence: [...evidence, `masters needed for a majority: ${mastersNeeded} of ${voters}`],
      remedy: `Bring roles home: redrover cluster repair ${cluster}`,
    });
  }
  return findings;
}

/** What the layout itself could not avoid was accepted with it. */
function severityOf(plannedToo: boolean): Severity {
  return plannedToo ? 'info' : 'warning';
}

function domainsOf({ layout, hosts }: Picture): Domains[] {
  const byHost: Domains = {
    kind: 'host',
    domainOf: (host) => host,
    keepApart: true,
    keepQuorum: true,
  };
  const used = new Set(layout.nodes.map((node) => node.host));
  const zones = zonesOfHosts(
    hosts.filter((host) => used.has(host.name)),
    layout.zoneLabel,
  );
  if (zones === undefined) return [byHost];
  const count = new Set(zones.values()).size;
  const largest = Math.max(
    ...layout.shards.map(({ id }) => layout.nodes.filter((node) => node.shard === id).length),
  );
  const byZone: Domains = {
    kind: 'zone',
    domainOf: (host) => zones.get(host) ?? '',
    keepApart: zonesKeepMembersApart(count, largest),
    keepQuorum: zonesKeepQuorum(count),
  };
  return [byHost, byZone];
}

function membersNow(picture: Picture, domains: Domains): PlacedMember[] {
  return actualMembers(actualShards(picture), ({ node }) => domains.domainOf(node.host));
}

/** Without the nodes of drained hosts: the risk of a maintenance was taken with it. */
function membersPlanned({ layout, roles }: Picture, domains: Domains): PlacedMember[] {
  return layout.nodes.flatMap((node) => {
    const role = roles.get(node.key);
    if (role === undefined || role === 'stopped') return [];
    const { key, shard } = node;
    return [{ node: key, shard, domain: domains.domainOf(node.host), role }];
  });
}
