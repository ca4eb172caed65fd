/** Findings as lines: what is wrong, what was seen, what repairs it. The worst come first. */
import type { Finding, Severity } from '@redrover/core';

import type { View } from '../output/output.ts';
import type { Style } from '../output/style.ts';
import { formatCount } from '../output/units.ts';

const ORDER: Readonly<Record<Severity, number>> = { critical: 0, warning: 1, info: 2 };

// A finding about hundreds of nodes is told by its first ones; JSON holds them all.
const MAX_LINES = 8;

export function renderFindings(findings: readonly Finding[], { style }: View): string {
  const sorted = dropRepeated(findings).sort((a, b) => ORDER[a.severity] - ORDER[b.severity]);
  const groups = Map.groupBy(sorted, ({ rule, severity }) => `${severity} ${rule}`);
  return [...groups.values()].flatMap((group) => renderGroup(group, style)).join('\n');
}

/** Several clusters may say the same of a host that they share. */
function dropRepeated(findings: readonly Finding[]): Finding[] {
  const told = new Map(findings.map((each) => [JSON.stringify(each), each]));
  return [...told.values()];
}

/** One thing that is wrong with many nodes is told together. */
function renderGroup(group: readonly Finding[], style: Style): string[] {
  const [first] = group;
  if (first === undefined) return [];
  const severity = paintSeverity(first.severity, style);
  const remedies = [...new Set(group.map(({ remedy }) => remedy))].filter((each) => each !== '');
  const headline =
    group.length === 1
      ? `${style.strong(first.subject)}: ${first.message} ${style.faint(`(${first.rule})`)}`
      : `${style.strong(first.rule)}: ${formatCount(group.length, 'finding')}`;
  const messages = new Set(group.map(({ message }) => message));
  const details = group.length === 1 ? first.evidence : [...messages];
  return [
    `${severity} ${headline}`,
    ...shorten(details).map((line) => style.faint(`    ${line}`)),
    ...shorten(remedies).map((remedy) => `    ${style.accent('→')} ${remedy}`),
  ];
}

function shorten(lines: readonly string[]): string[] {
  const more = lines.length - MAX_LINES;
  if (more <= 1) return [...lines];
  return [...lines.slice(0, MAX_LINES), `and ${more} more`];
}

function paintSeverity(severity: Severity, style: Style): string {
  if (severity === 'critical') return style.bad('critical');
  return severity === 'warning' ? style.caution('warning ') : style.faint('info    ');
}
