/** A plan for people: every node with its host, the steps by rounds, the findings. */
import { countSlots, formatRanges, stepKey } from '@redrover/core';
import type { Finding, Layout, LayoutNode, OperationKind, PlannedMove, Step } from '@redrover/core';
import type { Plan as PlanMessage, Refusal as RefusalMessage } from '@redrover/proto';
import {
  findingFromProto,
  layoutFromProto,
  operationKindFromProto,
  plannedMoveFromProto,
  stepFromProto,
} from '@redrover/wire';

import type { View } from '../output/output.ts';
import { formatCount } from '../output/units.ts';
import { renderFindings } from './finding-view.ts';
import { present } from './present.ts';
import { describeSteps } from './step-text.ts';

export interface PlanView {
  readonly kind: OperationKind;
  /** `scale to 4 shards`; empty where the kind says it all. */
  readonly reason: string;
  readonly empty: boolean;
  readonly fingerprint: string;
  readonly layout: Layout;
  /** Each round's steps can be executed at the same time. */
  readonly rounds: readonly (readonly Step[])[];
  /** Slots that would be moved, a pair of masters each. */
  readonly moves: readonly PlannedMove[];
  readonly findings: readonly Finding[];
}

export interface RefusalView {
  readonly reasons: readonly Finding[];
  readonly alternatives: readonly string[];
}

export function toPlanView(plan: PlanMessage): PlanView {
  return {
    kind: operationKindFromProto(plan.kind),
    reason: plan.reason,
    empty: plan.empty,
    fingerprint: plan.fingerprint,
    layout: layoutFromProto(present(plan.layout, 'layout')),
    rounds: plan.rounds.map(({ steps }) => steps.map((each) => stepFromProto(each))),
    moves: plan.moves.map((each) => plannedMoveFromProto(each)),
    findings: plan.findings.map((each) => findingFromProto(each)),
  };
}

export function toRefusalView({ reasons, alternatives }: RefusalMessage): RefusalView {
  return {
    reasons: reasons.map((each) => findingFromProto(each)),
    alternatives: [...alternatives],
  };
}

/** Nothing is to be done on any host, and yet the spec differs: applying saves it. */
export function savesSpec({ empty, findings }: PlanView): boolean {
  return empty && findings.some(({ rule }) => rule === 'spec-saved-only');
}

/** A plan that applying refuses: a critical finding of it stands in the way. */
export function isBlocked({ empty, findings }: PlanView): boolean {
  return !empty && findings.some(({ severity }) => severity === 'critical');
}

export const BLOCKED = 'This cannot be carried out now: what stands in the way is critical above.';

export function countSteps({ rounds }: PlanView): number {
  return new Set(rounds.flat().map(stepKey)).size;
}

/** A plan that says where every node of a cluster will be. */
export function renderPlan(plan: PlanView, view: View): string {
  const { empty, findings, layout } = plan;
  const { style } = view;
  const sections = [
    renderPlanHeadline(plan, view),
    ...(layout.nodes.length === 0 ? [] : [renderLayout(layout, view)]),
    ...(plan.rounds.length === 0 ? [] : [`${style.strong('Steps')}\n${renderSteps(plan)}`]),
    ...(findings.length === 0
      ? []
      : [`${style.strong('Findings')}\n${renderFindings(findings, view)}`]),
    empty ? describeEmpty(plan) : `${formatCount(countSteps(plan), 'step')} to do.`,
  ];
  return sections.join('\n\n');
}

/** `shop: scale to 4 shards, layout 3, redis-7.0.15, 4 shards, 4 masters, 4 replicas` */
export function renderPlanHeadline(plan: PlanView, { style }: View): string {
  const { layout, kind, reason } = plan;
  // What led to the layout in force is of no interest where nothing leads away from it.
  const purpose = plan.empty && !savesSpec(plan) && reason === '' ? 'as it is' : reason || kind;
  const masters = layout.nodes.filter(({ preferredRole }) => preferredRole === 'master').length;
  const facts = [
    `${style.strong(layout.cluster)}: ${purpose}`,
    `layout ${layout.number}`,
    layout.release,
    formatCount(layout.shards.length, 'shard'),
    formatCount(masters, 'master'),
    formatCount(layout.nodes.length - masters, 'replica'),
  ];
  return facts.join(', ');
}

export function renderRefusal(
  { reasons, alternatives }: RefusalView,
  view: View,
  headline = 'There is no layout for this spec:',
): string {
  const { style } = view;
  const lines = [style.bad(headline), renderFindings(reasons, view)];
  if (alternatives.length > 0) {
    lines.push('', 'What would work:', ...alternatives.map((each) => `  - ${each}`));
  }
  return lines.join('\n');
}

export function describeEmpty(plan: PlanView): string {
  return savesSpec(plan) ? 'Only the spec would change.' : 'Nothing would change.';
}

function renderLayout(layout: Layout, view: View): string {
  const sorted = [...layout.nodes].sort((a, b) => compareText(a.host, b.host) || a.port - b.port);
  let host = '';
  const rows = sorted.map((node) => {
    const first = node.host !== host;
    host = node.host;
    return [
      first ? view.style.strong(node.host) : '',
      `${node.address}:${node.port}`,
      node.preferredRole === 'master' ? view.style.accent('master') : 'replica',
      node.shard,
      node.preferredRole === 'master' ? describeSlots(layout, node) : '',
    ];
  });
  return view.table(['HOST', 'NODE', 'ROLE', 'SHARD', 'SLOTS'], rows);
}

function describeSlots({ shards }: Layout, { shard }: LayoutNode): string {
  const slots = shards.find(({ id }) => id === shard)?.slots ?? [];
  return `${formatRanges(slots)} (${countSlots(slots)})`;
}

/** Numbered rounds, in words. */
export function renderSteps({ layout, rounds }: PlanView): string {
  return rounds
    .map((steps, index) => {
      const lines = describeSteps(steps, layout);
      const number = String(index + 1).padStart(4);
      return lines.map((line, at) => `${at === 0 ? number : '    '}  ${line}`).join('\n');
    })
    .join('\n');
}

export function compareText(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
