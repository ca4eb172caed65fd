/** The rules for a layout that takes another's place. */
import type { Finding } from '../model/finding.ts';
import type { Host } from '../model/host.ts';
import type { Layout } from '../model/layout.ts';
import { lintLayout } from './lint-layout.ts';

const ABOUT_MEMBERS: ReadonlySet<string> = new Set(['same-host', 'same-zone']);

/**
 * As `lintLayout`, but what is as wrong with the layout in force already is a warning: no reason to
 * refuse a change that does not make it worse. One host may be brought home while another is gone.
 * Members of a shard that share a zone, and did so before hosts in other zones were there, are no
 * reason either.
 */
export function lintChange(
  layout: Layout,
  { current, hosts }: { readonly current: Layout; readonly hosts: readonly Host[] },
): Finding[] {
  const before = new Set(lintLayout(current, hosts).map(nameOf));
  const nodes = new Set(current.nodes.map(({ key }) => key));
  const isOld = (finding: Finding) =>
    before.has(nameOf(finding)) ||
    (ABOUT_MEMBERS.has(finding.rule) && finding.evidence.every((key) => nodes.has(key)));
  return lintLayout(layout, hosts).map((finding) =>
    finding.severity === 'critical' && isOld(finding)
      ? { ...finding, severity: 'warning' as const }
      : finding,
  );
}

/** With the message, as it holds the figures: what got worse has another one. */
function nameOf({ rule, subject, message }: Finding): string {
  return JSON.stringify([rule, subject, message]);
}
