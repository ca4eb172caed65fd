/** Findings as lines: what is wrong, what was seen, what repairs it. The worst come first. */
import type { Finding, Severity } from '@redrover/core';

import type { View } from '../output/output.ts';
import type { Style } from '../output/style.ts';

const ORDER: Readonly<Record<Severity, number>> = { critical: 0, warning: 1, info: 2 };

// A finding about hundreds of nodes is told by its first ones; JSON holds them all.
const MAX_EVIDENCE_LINES = 8;

export function renderFindings(findings: readonly Finding[], { style }: View): string {
  const sorted = [...findings].sort((a, b) => ORDER[a.severity] - ORDER[b.severity]);
  return sorted.flatMap((finding) => renderFinding(finding, style)).join('\n');
}

function renderFinding(finding: Finding, style: Style): string[] {
  const severity = paintSeverity(finding.severity, style);
  const evidence = finding.evidence.slice(0, MAX_EVIDENCE_LINES);
  const more = finding.evidence.length - evidence.length;
  return [
    `${severity} ${style.strong(finding.subject)}: ${finding.message} ${style.faint(`(${finding.rule})`)}`,
    ...evidence.map((line) => style.faint(`    ${line}`)),
    ...(more > 0 ? [style.faint(`    and ${more} more`)] : []),
    ...(finding.remedy === '' ? [] : [`    ${style.accent('→')} ${finding.remedy}`]),
  ];
}

function paintSeverity(severity: Severity, style: Style): string {
  if (severity === 'critical') return style.bad('critical');
  return severity === 'warning' ? style.caution('warning ') : style.faint('info    ');
}
