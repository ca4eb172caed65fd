/**
 * The next layout of a cluster whose spec asks for another number of shards or replicas.
 *
 * Pure and total. Nodes that are not asked to go stay where they are; if there is no layout then,
 * roles within shards are exchanged, and only where that does not help either a node is moved. The
 * operator is told of both.
 */
import type { Finding } from '../model/finding.ts';
import type { Host } from '../model/host.ts';
import type { ClusterSpec } from '../model/spec.ts';
import { compareNames, findCandidates, type CandidateHost } from './candidate-hosts.ts';
import { explainByCounting, explainNothingFound } from './explain-refusal.ts';
import { zoneOf } from './failure-zones.ts';
import { findAlternatives } from './find-alternatives.ts';
import { FreePorts } from './free-ports.ts';
import { memoryCapacity } from './host-capacity.ts';
import { nodesOffHosts } from './keep-current.ts';
import { qualityFindings } from './layout-quality.ts';
import { isAcceptable } from './lint-layout.ts';
import type { LayoutPlan } from './layout-plan.ts';
import { withRemedies } from './remedies.ts';
import { chooseKept, chooseKeptWithOtherRoles } from './scale/choose-kept.ts';
import { completeLayout, type Completed, type CompletionOptions } from './scale/complete-layout.ts';
import { lintScaled } from './scale/lint-scaled.ts';
import { freeNodes } from './scale/free-nodes.ts';
import { keepPinned } from './scale/pinned-nodes.ts';
import { hasSize, portsInUse, type Kept, type ScaleRequest } from './scale/scale-request.ts';
import { tellChanges } from './scale/tell-changes.ts';

export function planScale(request: ScaleRequest): LayoutPlan {
  const attempt = tryScale(request);
  if (attempt.ok) return attempt;
  const { spec, hosts, current } = request;
  const works = (changed: ClusterSpec, on: readonly Host[]) =>
    !hasSize(current, changed) && tryScale({ ...request, spec: changed, hosts: on }).ok;
  const { candidates } = attempt;
  const alternatives = attempt.searchable
    ? findAlternatives({ spec, hosts, candidates, works })
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

function tryScale(request: ScaleRequest): Attempt {
  const { spec, hosts, current } = request;
  const candidates = candidatesOf(request);
  const found = findCandidates(spec, hosts);
  const carrying = new Set(current.nodes.map(({ host }) => host));
  const unknown = found.refusals.filter(({ subject }) => !carrying.has(subject));
  if (unknown.length > 0) return { ok: false, refusals: unknown, candidates, searchable: false };
  const counted = spec.nodes.length > 0 ? [] : explainByCounting(spec, candidates);
  if (counted.length > 0) return { ok: false, refusals: counted, candidates, searchable: true };
  const choice = chooseWhatStays(request);
  if (!choice.ok) return { ...choice, candidates, searchable: false };
  const wanted = choice.kept.filter((kept) => nodesOffHosts(spec, kept.nodes).length === 0);
  if (wanted.length === 0) {
    const refusals = choice.kept.slice(0, 1).flatMap((kept) => nodesOffHosts(spec, kept.nodes));
    return { ok: false, refusals, candidates, searchable: false };
  }
  const pools = poolsOf(request);
  for (const { kept, options } of waysOf(request, wanted, pools)) {
    const completed = completeLayout(request, kept, options);
    if (completed === undefined) continue;
    const findings = lintScaled(request, completed.layout);
    if (!isAcceptable(findings)) continue;
    return accept(request, completed, { findings, options });
  }
  return {
    ok: false,
    refusals: explain(request, wanted),
    candidates,
    searchable: true,
  };
}

function chooseWhatStays(
  request: ScaleRequest,
):
  | { readonly ok: true; readonly kept: readonly Kept[] }
  | { readonly ok: false; readonly refusals: readonly Finding[] } {
  if (request.spec.nodes.length === 0) return { ok: true, kept: chooseKept(request) };
  const pinned = keepPinned(request);
  return pinned.ok ? { ok: true, kept: [pinned.kept] } : pinned;
}

interface Way {
  readonly kept: Kept;
  readonly options: CompletionOptions;
}

/** From what changes least to what changes most. */
function* waysOf(
  request: ScaleRequest,
  choices: readonly Kept[],
  pools: readonly (readonly Host[])[],
): Generator<Way> {
  const isPinned = request.spec.nodes.length > 0;
  for (const roles of ['keep', 'any'] as const) {
    for (const [index, kept] of choices.entries()) {
      const effort = index === 0 ? 'full' : 'rough';
      for (const pool of pools) yield { kept, options: { pool, roles, effort, freed: [] } };
    }
  }
  if (isPinned) return;
  const options = { roles: 'keep', effort: 'rough', freed: [] } as const;
  for (const kept of chooseKeptWithOtherRoles(request)) {
    for (const pool of pools) yield { kept, options: { ...options, pool } };
  }
  const [kept] = choices;
  if (kept === undefined) return;
  for (const free of freeNodes(request, kept)) {
    for (const pool of pools) {
      const { freed } = free;
      yield { kept: free.kept, options: { pool, roles: 'any', effort: 'rough', freed } };
    }
  }
}

function accept(
  request: ScaleRequest,
  { layout, quality }: Completed,
  how: { readonly findings: readonly Finding[]; readonly options: CompletionOptions },
): Extract<LayoutPlan, { ok: true }> {
  const { spec, hosts } = request;
  const findings = [
    ...findCandidates(spec, hosts).findings,
    ...tellChanges(request, layout, how.options.freed),
    ...how.findings,
    ...(quality === undefined ? [] : qualityFindings(spec.name, quality)),
  ];
  return { ok: true, layout, findings, quality };
}

/** When counting does not: which rules the nearest breaks. */
function explain(request: ScaleRequest, choices: readonly Kept[]): Finding[] {
  const { spec } = request;
  const [pool = []] = poolsOf(request);
  const [kept] = choices;
  const options = { pool, roles: 'any', effort: 'full', freed: [] } as const;
  const nearest = kept === undefined ? undefined : completeLayout(request, kept, options);
  const critical =
    nearest === undefined
      ? []
      : lintScaled(request, nearest.layout).filter(({ severity }) => severity === 'critical');
  const pinned = spec.nodes.length > 0 && critical.length > 0;
  return pinned ? critical : [explainNothingFound(spec, false), ...critical];
}

/** Hosts that may get nodes; zones count only where all hosts have one. */
function poolsOf({ spec, hosts, current }: ScaleRequest): (readonly Host[])[] {
  const { hosts: allowed, zoneLabel } = spec.placement;
  const pool = hosts.filter(
    ({ name, status }) =>
      status === 'online' &&
      !current.drainedHosts.includes(name) &&
      (allowed.length === 0 || allowed.includes(name)),
  );
  const labelled = pool.filter((host) => zoneOf(host, zoneLabel) !== undefined);
  const isMixed = labelled.length > 0 && labelled.length < pool.length;
  return isMixed ? [labelled, pool] : [pool];
}

/** Hosts that may get nodes, and those that have some: these count, too. */
function candidatesOf(request: ScaleRequest): CandidateHost[] {
  const { spec, hosts, current } = request;
  const pool = new Set(poolsOf(request).flat());
  const ports = new FreePorts(portsInUse(request));
  const most = spec.shards * (1 + spec.replicas);
  return hosts
    .flatMap((host): CandidateHost[] => {
      const there = current.nodes.filter((node) => node.host === host.name).length;
      if (!pool.has(host)) {
        return there === 0 ? [] : [{ host, memoryCapacity: there, portCapacity: there }];
      }
      const portCapacity = there + ports.countFree(host, most);
      // Where there are too many already, these may stay.
      const capacity = Math.max(there, memoryCapacity(host, spec.maxmemoryBytes));
      return [{ host, memoryCapacity: capacity, portCapacity }];
    })
    .sort((a, b) => compareNames(a.host.name, b.host.name));
}
