/**
 * The next layout for what an operator asks of slots, or why there is none.
 *
 * Pure and total. How the layout is made real is planning's business; each kind of change is
 * drafted in `reshard/`.
 */
import type { Finding } from '../model/finding.ts';
import { lintGrowth } from './lint-change.ts';
import type { LayoutPlan } from './layout-plan.ts';
import { draftMoveSlots } from './reshard/move-slots.ts';
import { draftRebalance } from './reshard/rebalance.ts';
import { findReshardAlternatives } from './reshard/reshard-alternatives.ts';
import type { ReshardDraft, ReshardRequest } from './reshard/reshard-request.ts';
import { draftSpread } from './reshard/spread.ts';

/** The layout in force itself, with its own number, when nothing is to be changed; says so. */
export function planReshard(request: ReshardRequest): LayoutPlan {
  const plan = planOnce(request);
  if (plan.ok || !plan.refusals.some(isAboutQuorum)) return plan;
  const alternatives = findReshardAlternatives(request, (other) => planOnce(other).ok);
  if (alternatives.length === 0) return plan;
  // What would help with it is what was tried.
  const refusals = plan.refusals.map((finding) =>
    isAboutQuorum(finding) ? { ...finding, remedy: '' } : finding,
  );
  return { ...plan, refusals, alternatives };
}

function isAboutQuorum({ rule }: Finding): boolean {
  return rule === 'quorum-per-host' || rule === 'quorum-per-zone';
}

function planOnce(request: ReshardRequest): LayoutPlan {
  const { layout: current, hosts, number } = request;
  const draft = draftOf(request);
  if (!draft.ok) return { ok: false, refusals: draft.refusals, alternatives: [] };
  const layout = draft.layout === current ? current : { ...draft.layout, number };
  const linted = lintGrowth(layout, { current, hosts });
  const refusals = linted.filter(({ severity }) => severity === 'critical');
  if (refusals.length > 0) return { ok: false, refusals, alternatives: [] };
  return { ok: true, layout, findings: [...draft.findings, ...linted], quality: undefined };
}

function draftOf(request: ReshardRequest): ReshardDraft {
  const { change } = request;
  switch (change.kind) {
    case 'rebalance':
      return draftRebalance(request, change);
    case 'moveSlots':
      return draftMoveSlots(request, change);
    case 'spread':
      return draftSpread(request);
  }
}
