/**
 * The next layout for what an operator asks of a host, or why there is none and what would work.
 *
 * Pure and total. How the layout is made real is planning's business; each kind of change is
 * drafted in `host-change/`.
 */
import { draftDrain, draftUndrain } from './host-change/drain.ts';
import { findHostChangeAlternatives } from './host-change/host-change-alternatives.ts';
import {
  mistaken,
  nodesOn,
  type Draft,
  type HostChangeRequest,
} from './host-change/host-change-request.ts';
import { draftMove, draftReplace } from './host-change/move.ts';
import { draftReaddress } from './host-change/readdress.ts';
import { lintChange } from './lint-change.ts';
import type { LayoutPlan } from './layout-plan.ts';

/** Nodes that the change is not about stay as they are. */
export function planHostChange(request: HostChangeRequest): LayoutPlan {
  const draft = check(request, draftOf(request));
  if (draft.ok) {
    const layout = { ...draft.layout, number: request.number };
    return { ok: true, layout, findings: draft.findings, quality: undefined };
  }
  const alternatives = draft.searchable
    ? findHostChangeAlternatives(request, (other) => check(other, draftOf(other)).ok)
    : [];
  return { ok: false, refusals: draft.refusals, alternatives };
}

function draftOf(request: HostChangeRequest): Draft {
  const { change, layout } = request;
  const known = request.hosts.some((host) => host.name === change.host);
  if (known && nodesOn(layout, change.host).length === 0) {
    return mistaken({
      rule: 'host-without-nodes',
      subject: change.host,
      message: `Host ${change.host} carries no nodes of cluster ${layout.cluster}.`,
      remedy: 'Nothing is to be done.',
    });
  }
  switch (change.kind) {
    case 'drain':
      return draftDrain(request);
    case 'undrain':
      return draftUndrain(request);
    case 'drainMove':
      return draftMove(request);
    case 'replace':
      return draftReplace(request, change.with);
    case 'readdress':
      return draftReaddress(request);
  }
}

function check({ layout, hosts }: HostChangeRequest, draft: Draft): Draft {
  if (!draft.ok) return draft;
  const linted = lintChange(draft.layout, { current: layout, hosts });
  const critical = linted.filter((finding) => finding.severity === 'critical');
  if (critical.length > 0) return { ok: false, refusals: critical, searchable: true };
  return { ...draft, findings: [...draft.findings, ...linted] };
}
