/** Rules about hosts under maintenance: what runs meanwhile must still be a cluster. */
import type { Finding } from '../model/finding.ts';
import type { Layout } from '../model/layout.ts';
import { maxMastersPerDomain } from './domains.ts';
import { effectiveRoles } from './effective-roles.ts';

export function lintDrained(layout: Layout): Finding[] {
  if (layout.drainedHosts.length === 0) return [];
  return [...lintNames(layout), ...lintStoppedShards(layout), ...lintGathered(layout)];
}

/** Never the operator's doing, so there is nothing they could repair. */
function lintNames({ drainedHosts, nodes }: Layout): Finding[] {
  const used = new Set(nodes.map((node) => node.host));
  return drainedHosts
    .filter((name, index) => !used.has(name) || drainedHosts.indexOf(name) !== index)
    .map((name) => ({
      rule: 'drained-host-known',
      severity: 'critical',
      subject: name,
      message: used.has(name)
        ? `Host ${name} is listed twice as drained.`
        : `Host ${name} is listed as drained and carries no nodes of the layout.`,
      evidence: [],
      remedy: '',
    }));
}

function lintStoppedShards({ drainedHosts, nodes, shards }: Layout): Finding[] {
  return shards.flatMap(({ id }) => {
    const members = nodes.filter((node) => node.shard === id);
    if (members.some((node) => !drainedHosts.includes(node.host))) return [];
    return [
      {
        rule: 'drained-shard',
        severity: 'critical' as const,
        subject: id,
        message: `All members of shard ${id} are on drained hosts: nobody would serve its slots.`,
        evidence: members.map((node) => node.key),
        remedy: 'Leave one of these hosts undrained, or give the shard a replica elsewhere.',
      },
    ];
  });
}

/** For the time of the maintenance only, so never a reason to refuse. */
function lintGathered(layout: Layout): Finding[] {
  const roles = effectiveRoles(layout);
  const masters = layout.nodes.filter((node) => roles.get(node.key) === 'master');
  const limit = maxMastersPerDomain(layout.shards.length);
  return [...Map.groupBy(masters, (node) => node.host)]
    .filter(([, nodes]) => nodes.length > limit)
    .map(([host, nodes]) => ({
      rule: 'drained-quorum',
      severity: 'warning',
      subject: host,
      message:
        `While ${layout.drainedHosts.join(', ')} is drained, host ${host} holds ${nodes.length} ` +
        `of ${layout.shards.length} masters: losing it then stops the cluster.`,
      evidence: nodes.map((node) => node.key),
      remedy: 'Keep the maintenance short.',
    }));
}
