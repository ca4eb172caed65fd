/** A repair before it is approved: what is not as the layout wants it, the steps, what stays open. */
import type { View } from '../output/output.ts';
import { formatCount } from '../output/units.ts';
import { findingsBesideMoves, renderMoves } from './change-view.ts';
import type { ChangePlan } from './change-view.ts';
import { renderFindings } from './finding-view.ts';
import { renderNodeChanges } from './node-changes.ts';
import { countSteps, isBlocked, renderSteps } from './plan-view.ts';

export function renderRepair(plan: ChangePlan, view: View): string {
  const { changes, empty, layout } = plan;
  const findings = findingsBesideMoves(plan);
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
  sections.push(...renderMoves(plan, view));
  if (plan.rounds.length > 0) sections.push(`${style.strong('Steps')}\n${renderSteps(plan)}`);
  if (findings.length > 0) {
    const title = style.strong(titleFindings(plan));
    sections.push(`${title}\n${renderFindings(findings, view)}`);
  }
  if (empty) sections.push(describeNothing(plan));
  else if (!isBlocked(plan)) sections.push(`${formatCount(countSteps(plan), 'step')} to do.`);
  return sections.join('\n\n');
}

function titleFindings(plan: ChangePlan): string {
  if (plan.empty) return 'Not to be repaired now';
  if (isBlocked(plan)) return 'What stands in the way, and what is left for later';
  return plan.moves.length === 0 ? 'Left for later' : 'Good to know, or left for later';
}

function describeNothing({ changes, findings, layout }: ChangePlan): string {
  const isOff = changes.length > 0 || findings.some(({ severity }) => severity !== 'info');
  return isOff
    ? `${layout.cluster}: there is nothing that can be repaired now.`
    : `${layout.cluster}: there is nothing to repair.`;
}
