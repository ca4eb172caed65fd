/** The rules for a layout that takes another's place. */
import type { Finding } from '../model/finding.ts';
import type { Host } from '../model/host.ts';
import type { Layout, LayoutNode } from '../model/layout.ts';
import { zoneOf } from './failure-zones.ts';
import { lintLayout } from './lint-layout.ts';

/**
 * As `lintLayout`, but what is as wrong with the layout in force already is a warning: no reason to
 * refuse a change that does not make it worse. One host may be brought home while another is gone.
 */
export function lintChange(
  layout: Layout,
  { current, hosts }: { readonly current: Layout; readonly hosts: readonly Host[] },
): Finding[] {
  const before = new Set(lintLayout(current, hosts).map(nameOf));
  return lintLayout(layout, hosts).map((finding) =>
    finding.severity === 'critical' && before.has(nameOf(finding))
      ? { ...finding, severity: 'warning' as const }
      : finding,
  );
}

/** With the message, as it holds the figures: what got worse has another one. */
function nameOf({ rule, subject, message }: Finding): string {
  return JSON.stringify([rule, subject, message]);
}

const ABOUT_MEMBERS: ReadonlySet<string> = new Set(['same-host', 'same-zone']);

/**
 * As `lintChange`, for nodes that come beside others, perhaps in new zones: only now may rules
 * about zones apply. A shard with no more members in one zone than it had is no reason to refuse,
 * nor is a zone with no more masters.
 */
export function lintGrowth(
  layout: Layout,
  { current, hosts }: { readonly current: Layout; readonly hosts: readonly Host[] },
): Finding[] {
  const isOld = (finding: Finding) => {
    const { rule, subject, evidence } = finding;
    if (rule === 'quorum-per-zone') {
      if (layout.shards.length < current.shards.length) return false;
      return mastersIn(layout, hosts, subject) <= mastersIn(current, hosts, subject);
    }
    if (!ABOUT_MEMBERS.has(rule)) return false;
    const label = rule === 'same-zone' ? layout.zoneLabel : undefined;
    const domains = domainsOf(hosts, label);
    const on = (node: LayoutNode | undefined) => domains.get(node?.host ?? '') ?? node?.host;
    const domain = on(layout.nodes.find(({ key }) => key === evidence[0]));
    const before = current.nodes.filter((node) => node.shard === subject && on(node) === domain);
    return before.length >= evidence.length;
  };
  return lintChange(layout, { current, hosts }).map((finding) =>
    finding.severity === 'critical' && isOld(finding)
      ? { ...finding, severity: 'warning' as const }
      : finding,
  );
}

function mastersIn({ nodes, zoneLabel }: Layout, hosts: readonly Host[], zone: string): number {
  const domains = domainsOf(hosts, zoneLabel);
  return nodes.filter(
    ({ preferredRole, host }) => preferredRole === 'master' && domains.get(host) === zone,
  ).length;
}

/** Zones by host name; without a label, and of hosts without a zone, nothing. */
function domainsOf(
  hosts: readonly Host[],
  label: string | undefined,
): ReadonlyMap<string, string | undefined> {
  return new Map(
    hosts.map((host) => [host.name, label === undefined ? undefined : zoneOf(host, label)]),
  );
}
