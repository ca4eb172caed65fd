/**
 * What a plan's moves of slots would do: asks for what is in the slots, and gives it to core. A plan
 * holds without it; it is for the people who approve it.
 */
import {
  normalizeRanges,
  previewMoves,
  type MoveEnd,
  type MoveSlotsStep,
  type NodeKey,
  type PreviewNode,
  type PreviewPair,
} from '@redrover/core';

import type { ClusterPlan, PlannerContext } from './cluster-plan.ts';
import { surveySlots } from './slot-surveys.ts';

/** @returns the plan with its moves, and with what is risky or unsafe about them. */
export async function withPreview(
  context: PlannerContext,
  plan: ClusterPlan,
): Promise<ClusterPlan> {
  const steps = movesOf(plan);
  if (steps.length === 0) return plan;
  const pairs = pairsOf(plan, steps);
  const preview = previewMoves({
    pairs,
    nodes: nodesOf(context, plan, steps),
    surveys: await surveySlots(context, surveysOf(context, pairs)),
    options: plan.move,
    nodeTimeoutMs: plan.layout.nodeTimeoutMs,
  });
  return { ...plan, moves: preview.moves, findings: [...plan.findings, ...preview.findings] };
}

/** Those that are foreseen: a plan that waits for something may have more. */
export function movesOf({ forecast }: ClusterPlan): MoveSlotsStep[] {
  return forecast.rounds.flat().filter((step) => step.kind === 'moveSlots');
}

/** In the order in which they are begun; what goes in several steps is one pair. */
function pairsOf({ layout, former }: ClusterPlan, steps: readonly MoveSlotsStep[]): PreviewPair[] {
  const shards = new Map([...former, ...layout.nodes].map(({ key, shard }) => [key, shard]));
  const shardOf = ({ node }: MoveEnd): string => shards.get(node) ?? node;
  const byPair = Map.groupBy(steps, ({ source, target }) => `${source.node} > ${target.node}`);
  return [...byPair.values()].flatMap((same) => {
    const [first] = same;
    if (first === undefined) return [];
    const { source, target, engine } = first;
    return {
      from: shardOf(source),
      to: shardOf(target),
      source: source.node,
      target: target.node,
      engine,
      slots: normalizeRanges(same.flatMap(({ slots }) => slots)),
    };
  });
}

function surveysOf({ observations }: PlannerContext, pairs: readonly PreviewPair[]) {
  return [...Map.groupBy(pairs, ({ source }) => source)].flatMap(([node, same]) => {
    const host = observations.find(node)?.host;
    const slots = normalizeRanges(same.flatMap((pair) => pair.slots));
    return host === undefined ? [] : [{ node, host, slots }];
  });
}

function nodesOf(
  context: PlannerContext,
  plan: ClusterPlan,
  steps: readonly MoveSlotsStep[],
): Record<NodeKey, PreviewNode> {
  const ends = steps.flatMap(({ source, target, sourceReplicas, targetReplicas }) => [
    source,
    target,
    ...sourceReplicas,
    ...targetReplicas,
  ]);
  const keys = new Set(ends.map(({ node }) => node));
  return Object.fromEntries([...keys].map((key) => [key, describeNode(context, plan, key)]));
}

function describeNode(
  { hosts, observations }: PlannerContext,
  { layout, release }: ClusterPlan,
  key: NodeKey,
): PreviewNode {
  const seen = observations.find(key);
  const state = seen?.process.state ?? 'absent';
  const redis = state === 'running' ? seen?.redis : undefined;
  const self = redis?.view.nodes.find(({ nodeId }) => nodeId === redis.nodeId);
  const isHeard = seen !== undefined && hosts.find(seen.host)?.status === 'online';
  return {
    key,
    exists: state !== 'absent' && state !== 'prepared',
    answers: isHeard && redis !== undefined,
    loading: redis?.loading ?? false,
    product: release.product,
    version: redis?.version ?? release.version,
    usedMemoryBytes: redis?.usedMemoryBytes ?? 0,
    maxmemoryBytes: redis?.maxmemoryBytes ?? layout.maxmemoryBytes ?? 0,
    openSlots: (self?.migrating.length ?? 0) + (self?.importing.length ?? 0),
  };
}
