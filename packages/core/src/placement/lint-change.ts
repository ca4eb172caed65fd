/** The rules for a layout that takes another's place. */
import type { Finding } from '../model/finding.ts';
import type { Host } from '../model/host.ts';
import type { Layout } from '../model/layout.ts';
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
 * about zones apply. Members of a shard that share one, and did so before, are no reason to refuse;
 * nor is a zone with no more masters than it had.
 */
export function lintGrowth(
  layout: Layout,
  { current, hosts }: { readonly current: Layout; readonly hosts: readonly Host[] },
): Finding[] {
  const before = new Set(current.nodes.map(({ key }) => key));
  const isOld = ({ rule, subject, evidence }: Finding) => {
    if (ABOUT_MEMBERS.has(rule)) return evidence.every((key) => before.has(key));
    if (rule !== 'quorum-per-zone' || layout.shards.length < current.shards.length) return false;
    return mastersIn(layout, hosts, subject) <= mastersIn(current, hosts, subject);
  };
  return lintChange(layout, { current, hosts }).map((finding) =>
    finding.severity === 'critical' && isOld(finding)
      ? { ...finding, severity: 'warning' as const }
      : finding,
  );
}

function mastersIn({ nodes, zoneLabel }: Layout, hosts: readonly Host[], zone: string): number {
  const inZone = new Set(
    hosts.filter((host) => zoneOf(host, zoneLabel) === zone).map(({ name }) => name),
  );
  return nodes.filter((node) => node.preferredRole === 'master' && inZone.has(node.host)).length;
}
