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
