/** A change of a cluster before it is approved: its nodes, its slots, what is moved, and the steps. */
import type { Finding } from '@redrover/core';

import type { View } from '../output/output.ts';
import { formatCount } from '../output/units.ts';
import type { ClusterDetails } from './cluster-view.ts';
import { renderFindings } from './finding-view.ts';
import { renderMovePreview } from './move-preview.ts';
import { compareNodes, renderNodeChanges } from './node-changes.ts';
import type { NodeChange } from './node-changes.ts';
import {
  countSteps,
  describeEmpty,
  isBlocked,
  renderPlan,
  renderPlanHeadline,
  renderSteps,
} from './plan-view.ts';
import type { PlanView } from './plan-view.ts';
import { compareSlots, isKept, renderSlotChanges } from './slot-changes.ts';
import type { SlotChange } from './slot-changes.ts';

export interface ChangePlan extends PlanView {
  readonly changes: readonly NodeChange[];
  readonly slotChanges: readonly SlotChange[];
}

/** With what the cluster is now, which the plan itself does not say. */
export function toChangePlan(
  plan: PlanView,
  now: Pick<ClusterDetails, 'nodes' | 'slotsElsewhere'>,
): ChangePlan {
  const changes = compareNodes({ nodes: now.nodes, next: plan.layout });
  return {
    ...plan,
    changes,
    slotChanges: compareSlots({ now, next: plan.layout, moves: plan.moves }),
  };
}

/** A plan for a cluster that exists as what changes, else as all that there will be. */
export function renderPlanned(plan: PlanView | ChangePlan, view: View): string {
  return 'slotChanges' in plan ? renderChange(plan, view) : renderPlan(plan, view);
}

function renderChange(plan: ChangePlan, view: View): string {
  const { changes, empty } = plan;
  const { style } = view;
  const findings = findingsBesideMoves(plan);
  const sections = [renderPlanHeadline(plan, view)];
  if (changes.length > 0) {
    sections.push(`${style.strong('Nodes')}\n${renderNodeChanges(changes, view)}`);
  }
  sections.push(...renderMoves(plan, view));
  if (plan.rounds.length > 0) sections.push(`${style.strong('Steps')}\n${renderSteps(plan)}`);
  if (findings.length > 0) {
    sections.push(`${style.strong('Findings')}\n${renderFindings(findings, view)}`);
  }
  if (empty) sections.push(describeEmpty(plan));
  else if (!isBlocked(plan)) sections.push(`${formatCount(countSteps(plan), 'step')} to do.`);
  return sections.join('\n\n');
}

/** The table of moves marks what was only sampled, once for all pairs. */
export function findingsBesideMoves({ findings, moves }: PlanView): Finding[] {
  return findings.filter(({ rule, severity }) => {
    return moves.length === 0 || severity !== 'info' || rule !== 'survey-incomplete';
  });
}

/** Who serves what, then and now, and what is moved for it; nothing where no slot moves. */
export function renderMoves(
  { layout, moves, slotChanges }: Pick<ChangePlan, 'layout' | 'moves' | 'slotChanges'>,
  view: View,
): string[] {
  const { style } = view;
  const sections: string[] = [];
  if (slotChanges.some((change) => !isKept(change))) {
    sections.push(`${style.strong('Slots')}\n${renderSlotChanges(slotChanges, view)}`);
  }
  if (moves.length > 0) {
    const { nodeTimeoutMs } = layout;
    const preview = renderMovePreview({ moves, nodeTimeoutMs }, view);
    sections.push(`${style.strong('Moves')}\n${preview}`);
  }
  return sections;
}
