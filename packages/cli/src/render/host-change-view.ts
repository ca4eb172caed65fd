/** A change of a host before it is approved: what becomes of each cluster's nodes, and the steps. */
import type { HostChange, HostChangeKind } from '@redrover/core';

import type { View } from '../output/output.ts';
import { formatCount } from '../output/units.ts';
import { wrapText } from '../output/wrap.ts';
import { renderFindings } from './finding-view.ts';
import { renderNodeChanges } from './node-changes.ts';
import type { NodeChange } from './node-changes.ts';
import { countSteps, renderSteps } from './plan-view.ts';
import type { PlanView } from './plan-view.ts';

export interface HostChangePlan extends PlanView {
  readonly changes: readonly NodeChange[];
}

/** What is asked for, as a sentence that a person says yes or no to. */
export function explainHostChange(change: HostChange): string {
  switch (change.kind) {
    case 'drain':
      return (
        `Masters on ${change.host} are handed off, then its nodes are stopped. They keep their ` +
        `data and stay stopped, also after a reboot, until \`redrover host undrain ${change.host}\`.`
      );
    case 'drainMove':
      return (
        `The nodes on ${change.host} are laid out anew on other hosts. Each new node gets its data ` +
        'from the shard it joins before the old one is stopped.'
      );
    case 'undrain':
      return `The nodes on ${change.host} run again, catch up, and masters come home.`;
    case 'replace':
      return (
        `The nodes of ${change.host} are laid out anew on ${change.with}, get their data from the ` +
        'shards they join, and every node forgets the old ones.'
      );
    case 'readdress':
      return `The nodes on ${change.host} bind to and announce its address of now, one at a time.`;
  }
}

/** What a person does next, once it is done; empty for nothing. */
export function explainAfterwards(change: HostChange): string {
  switch (change.kind) {
    case 'drain':
      return `${change.host} may be worked on. Bring it back with: redrover host undrain ${change.host}`;
    case 'drainMove':
      return `${change.host} carries no node of these clusters any more; it may be switched off.`;
    case 'replace':
      return `If ${change.host} is gone for good, forget it with: redrover host rm ${change.host}`;
    case 'undrain':
    case 'readdress':
      return '';
  }
}

const NOTHING_TO_DO: Readonly<Record<HostChangeKind, (host: string) => string>> = {
  drain: (host) => `${host} has no nodes that run; there is nothing to drain.`,
  drainMove: (host) => `${host} has no nodes; there is nothing to move.`,
  undrain: (host) => `${host} is not drained; there is nothing to bring back.`,
  replace: (host) => `${host} has no nodes in any cluster; there is nothing to replace.`,
  readdress: (host) =>
    `The nodes on ${host} have its address already. If it has another one now, start its agent ` +
    'with --address first; `redrover host ls` shows the address that is known.',
};

export function explainNothingToDo({ kind, host }: HostChange): string {
  return NOTHING_TO_DO[kind](host);
}

export function renderHostChange(
  change: HostChange,
  plans: readonly HostChangePlan[],
  view: View,
): string {
  const what = wrapText(explainHostChange(change), { width: view.width });
  return [what, ...plans.map((plan) => renderOne(plan, view))].join('\n\n');
}

function renderOne(plan: HostChangePlan, view: View): string {
  const { changes, empty, findings, layout } = plan;
  const { style } = view;
  const name = style.strong(layout.cluster);
  if (empty) return `${name}: nothing would change.`;
  const sections = [`${name}: layout ${layout.number}, ${formatCount(countSteps(plan), 'step')}`];
  if (changes.length > 0) sections.push(renderNodeChanges(changes, view));
  if (plan.rounds.length > 0) sections.push(`${style.strong('Steps')}\n${renderSteps(plan)}`);
  if (findings.length > 0) {
    sections.push(`${style.strong('Findings')}\n${renderFindings(findings, view)}`);
  }
  return sections.join('\n\n');
}
