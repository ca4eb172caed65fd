/**
 * The answer to a spec: which node goes where, or why there is no such layout and what would work.
 *
 * Pure and total. What makes a layout good is in `score.ts`, how it is found in
 * `solve-placement.ts`, and which rules it must keep in `lint-layout.ts`.
 */
import type { Finding } from '../model/finding.ts';
import type { Host } from '../model/host.ts';
import type { Layout, LayoutNode } from '../model/layout.ts';
import type { Observation } from '../model/observation.ts';
import { busPortOf, nodeKey } from '../model/layout.ts';
import { splitSlotsEvenly } from '../model/slots.ts';
import type { ClusterSpec } from '../model/spec.ts';
import type { BoundNode } from './bind-assignment.ts';
import { bindFree, bindPinned } from './bind-assignment.ts';
import { buildProblem } from './build-problem.ts';
import type { CandidateHost } from './candidate-hosts.ts';
import { findCandidates } from './candidate-hosts.ts';
import { explainByCounting, explainNothingFound } from './explain-refusal.ts';
import { zoneOf } from './failure-zones.ts';
import { findAlternatives } from './find-alternatives.ts';
import { keepCurrent } from './keep-current.ts';
import type { LayoutPlan } from './layout-plan.ts';
import { lintChange } from './lint-change.ts';
import { isAcceptable, lintLayout } from './lint-layout.ts';
import { describeQuality, qualityFindings } from './layout-quality.ts';
import type { Assignment } from './placement-problem.ts';
import { planScale } from './plan-scale.ts';
import { withRemedies } from './remedies.ts';
import { hasSize } from './scale/scale-request.ts';
import type { SlotsByShard } from './slots/slot-owners.ts';
import { solvePlacement } from './solve-placement.ts';

export interface LayoutRequest {
  readonly spec: ClusterSpec;
  /** All known hosts. */
  readonly hosts: readonly Host[];
  /** The layout in force; undefined for a new cluster. */
  readonly current: Layout | undefined;
  /** Of a new cluster; one that exists keeps its own. */
  readonly clusterId: string;
  /** Of a layout that differs from the current one. */
  readonly number: number;
  /** Ids of all shards that the cluster ever had; default: those of the current layout. */
  readonly usedShardIds?: readonly string[] | undefined;
  /** Where slots are; of those that are not named it is taken from the current layout. */
  readonly ownedSlots?: SlotsByShard | undefined;
  /** Nodes that are there beside the current layout's keep their ports; default: there are none. */
  readonly observation?: Observation | undefined;
}

/**
 * Nodes of a current layout stay where they are, also when there shall be more or fewer of them. A
 * spec that asks for nothing else of them gives the layout in force itself, with its own number,
 * also when hosts were added since or are away: when and by whom it is repaired, for example, is in
 * no layout.
 */
export function planLayout(request: LayoutRequest): LayoutPlan {
  const { spec, hosts, current, number } = request;
  if (current === undefined || current.nodes.length === 0) return planNew(request);
  if (!hasSize(current, spec)) {
    const { usedShardIds = [], ownedSlots = {}, observation } = request;
    return planScale({ spec, hosts, current, number, usedShardIds, ownedSlots, observation });
  }
  const kept = keepCurrent(spec, current, number);
  if (!kept.ok) return { ok: false, refusals: kept.refusals, alternatives: [] };
  const { layout } = kept;
  const findings = lintChange(layout, { current, hosts });
  if (isAcceptable(findings)) return { ok: true, layout, findings, quality: undefined };
  return { ok: false, refusals: findings.filter(isCritical), alternatives: [] };
}

function planNew(request: LayoutRequest): LayoutPlan {
  const { spec, hosts } = request;
  const attempt = tryLayout(request);
  if (attempt.ok) return attempt;
  const works = (changed: ClusterSpec, on: readonly Host[]) =>
    tryLayout({ ...request, spec: changed, hosts: on }).ok;
  const alternatives = attempt.searchable
    ? findAlternatives({ spec, hosts, candidates: attempt.candidates, works })
    : [];
  return { ok: false, refusals: withRemedies(attempt.refusals, alternatives), alternatives };
}

interface Refused {
  readonly ok: false;
  readonly refusals: readonly Finding[];
  readonly candidates: readonly CandidateHost[];
  /** Whether another spec or more hosts could help; a wrong name must be corrected instead. */
  readonly searchable: boolean;
}

type Attempt = Extract<LayoutPlan, { ok: true }> | Refused;

function tryLayout(request: LayoutRequest): Attempt {
  const { spec, hosts } = request;
  const { hosts: candidates, findings, refusals } = findCandidates(spec, hosts);
  if (refusals.length > 0) return { ok: false, refusals, candidates, searchable: false };
  const attempt = layOut(request, candidates, findings);
  if (attempt.ok || spec.nodes.length > 0) return attempt;
  // Where only some hosts have a zone, a layout may happen to use only these, and then zones count.
  const labelled = candidates.filter(
    ({ host }) => zoneOf(host, spec.placement.zoneLabel) !== undefined,
  );
  if (labelled.length === 0 || labelled.length === candidates.length) return attempt;
  const second = layOut(request, labelled, findings);
  return second.ok ? second : attempt;
}

function layOut(
  request: LayoutRequest,
  candidates: readonly CandidateHost[],
  notes: readonly Finding[],
): Attempt {
  const { spec, hosts } = request;
  const { problem, hosts: names } = buildProblem(spec, candidates);
  const solution = solvePlacement(problem);
  const assignment = solution.ok ? solution.assignment : solution.nearest;
  const layout = assignment === undefined ? undefined : bindLayout(request, assignment, { names });
  const findings = layout === undefined ? [] : lintLayout(layout, hosts);
  if (solution.ok && layout !== undefined && isAcceptable(findings)) {
    const quality = describeQuality(solution);
    const all = [...notes, ...findings, ...qualityFindings(spec.name, quality)];
    return { ok: true, layout, findings: all, quality };
  }
  const critical = findings.filter(isCritical);
  const counted = spec.nodes.length > 0 ? critical : explainByCounting(spec, candidates);
  const proved = !solution.ok && solution.proved;
  const reasons = counted.length > 0 ? counted : [explainNothingFound(spec, proved), ...critical];
  return { ok: false, refusals: reasons, candidates, searchable: true };
}

function bindLayout(
  request: LayoutRequest,
  assignment: Assignment,
  { names }: { readonly names: readonly string[] },
): Layout | undefined {
  const { spec, hosts } = request;
  const byName = new Map(hosts.map((host) => [host.name, host]));
  const used = names.flatMap((name) => byName.get(name) ?? []);
  const bound =
    spec.nodes.length > 0 ? bindPinned(spec, assignment, names) : bindFree(spec, assignment, used);
  if (bound === undefined) return undefined;
  const addresses = new Map(used.map((host) => [host.name, host.address]));
  return {
    cluster: spec.name,
    clusterId: request.clusterId,
    number: request.number,
    release: spec.release,
    shards: splitSlotsEvenly(spec.shards).map((range, index) => ({
      id: shardId(index + 1),
      slots: [range],
    })),
    nodes: [...bound]
      .sort((a, b) => a.shard - b.shard)
      .map((node) => layoutNode(node, addresses.get(node.host) ?? '')),
    maxmemoryBytes: spec.maxmemoryBytes,
    nodeTimeoutMs: spec.nodeTimeoutMs,
    config: spec.config,
    zoneLabel: spec.placement.zoneLabel,
    allowSameHost: spec.placement.allowSameHost,
    allowWeakQuorum: spec.placement.allowWeakQuorum,
    drainedHosts: [],
  };
}

/** Masters come first within their shard, as `BoundNode`s do. */
function layoutNode({ host, port, shard, role }: BoundNode, address: string): LayoutNode {
  return {
    key: nodeKey(host, port),
    host,
    address,
    port,
    busPort: busPortOf(port),
    shard: shardId(shard),
    preferredRole: role,
    configEpoch: role === 'master' ? shard : 0,
  };
}

function shardId(shard: number): string {
  return `s${shard}`;
}

function isCritical(finding: Finding): boolean {
  return finding.severity === 'critical';
}
