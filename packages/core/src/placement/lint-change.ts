/** The rules for a layout that takes another's place. */
import type { Finding } from '../model/finding.ts';
import type { Host } from '../model/host.ts';
import type { Layout } from '../model/layout.ts';
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
 * As `lintChange`, for nodes that come beside others. Members of a shard that share a zone, and did
 * so before hosts in other zones were there, are no reason to refuse either.
 */
export function lintGrowth(
  layout: Layout,
  { current, hosts }: { readonly current: Layout; readonly hosts: readonly Host[] },
): Finding[] {
  const before = new Set(current.nodes.map(({ key }) => key));
  const isOld = ({ rule, evidence }: Finding) =>
    ABOUT_MEMBERS.has(rule) && evidence.every((key) => before.has(key));
  return lintChange(layout, { current, hosts }).map((finding) =>
    finding.severity === 'critical' && isOld(finding)
      ? { ...finding, severity: 'warning' as const }
      : finding,
  );
}
