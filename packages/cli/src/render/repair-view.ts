/** A repair before it is approved: what is not as the layout wants it, the steps, what stays open. */
import type { View } from '../output/output.ts';
import { formatCount } from '../output/units.ts';
import { renderFindings } from './finding-view.ts';
import { renderNodeChanges } from './node-changes.ts';
import type { NodeChange } from './node-changes.ts';
import { countSteps, renderSteps } from './plan-view.ts';
import type { PlanView } from './plan-view.ts';

export interface RepairPlan extends PlanView {
  readonly changes: readonly NodeChange[];
}

export function renderRepair(plan: RepairPlan, view: View): string {
  const { changes, empty, findings, layout } = plan;
  const { style } = view;
  const sections = empty
    ? []
    : [
        `${style.strong(layout.cluster)}: repair, towards layout ${layout.number}, which is in force`,
      ];
  if (changes.length > 0) {
    const title = style.strong('Not as the layout wants it');
    sections.push(`${title}\n${renderNodeChanges(changes, view, 'SHOULD BE')}`);
  }
  if (!empty) sections.push(`${style.strong('Steps')}\n${renderSteps(plan)}`);
  if (findings.length > 0) {
    const title = style.strong(empty ? 'Not to be repaired now' : 'Left for later');
    sections.push(`${title}\n${renderFindings(findings, view)}`);
  }
  sections.push(empty ? describeNothing(plan) : `${formatCount(countSteps(plan), 'step')} to do.`);
  return sections.join('\n\n');
}

function describeNothing({ changes, findings, layout }: RepairPlan): string {
  const isOff = changes.length > 0 || findings.some(({ severity }) => severity !== 'info');
  return isOff
    ? `${layout.cluster}: there is nothing that can be repaired now.`
    : `${layout.cluster}: there is nothing to repair.`;
}
