/** What would work instead of a reshard that leaves too few masters a vote; each was tried. */
import type { Reshard } from '../../model/migration.ts';
import type { ReshardRequest } from './reshard-request.ts';

/** Of the share of others: few slots, and a vote. */
const SMALL_WEIGHT = 0.1;

/** Worded so that they can follow "What would work:". */
export function findReshardAlternatives(
  request: ReshardRequest,
  works: (request: ReshardRequest) => boolean,
): string[] {
  return [...smallWeights(request, works), ...acceptedRisk(request, works)];
}

function smallWeights(
  request: ReshardRequest,
  works: (request: ReshardRequest) => boolean,
): string[] {
  const { change } = request;
  if (change.kind !== 'rebalance') return [];
  const weights = Object.entries(change.weights);
  const raised = weights.map(([shard, weight]) => [shard, weight === 0 ? SMALL_WEIGHT : weight]);
  if (weights.every(([, weight]) => weight !== 0)) return [];
  const other: Reshard = { ...change, weights: Object.fromEntries(raised) };
  if (!works({ ...request, change: other })) return [];
  return [`--weights ${raised.map(([shard, weight]) => `${shard}=${weight}`).join(',')}`];
}

function acceptedRisk(
  request: ReshardRequest,
  works: (request: ReshardRequest) => boolean,
): string[] {
  const { layout } = request;
  const risky = { ...layout, allowWeakQuorum: true };
  if (layout.allowWeakQuorum || !works({ ...request, layout: risky })) return [];
  const shards = layout.shards.length;
  return [
    `first redrover cluster scale ${layout.cluster} --shards ${shards} --allow-weak-quorum, ` +
      'which accepts that losing one host may lose the majority of masters',
  ];
}
