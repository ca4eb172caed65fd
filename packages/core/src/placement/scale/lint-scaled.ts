/** The rules for a layout of another size than the one in force. */
import type { Finding } from '../../model/finding.ts';
import type { Layout } from '../../model/layout.ts';
import { nodeChanges } from '../keep-current.ts';
import { lintChange } from '../lint-change.ts';
import type { ScaleRequest } from './scale-request.ts';

const ABOUT_MEMBERS: ReadonlySet<string> = new Set(['same-host', 'same-zone']);

/**
 * As `lintChange`, and no node may be where the spec does not want it. Members of a shard that
 * share a zone, and did so before hosts in other zones were there, are no reason to refuse.
 */
export function lintScaled({ spec, current, hosts }: ScaleRequest, layout: Layout): Finding[] {
  const before = new Set(current.nodes.map(({ key }) => key));
  const isOld = ({ rule, evidence }: Finding) =>
    ABOUT_MEMBERS.has(rule) && evidence.every((key) => before.has(key));
  return [
    ...nodeChanges(spec, layout),
    ...lintChange(layout, { current, hosts }).map((finding) =>
      finding.severity === 'critical' && isOld(finding)
        ? { ...finding, severity: 'warning' as const }
        : finding,
    ),
  ];
}
