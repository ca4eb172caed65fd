/** Who owns the slots of a task, by the words of both ends and of everybody else. Asks all at once, judges nothing. */
import {
  normalizeRanges,
  type ClusterView,
  type MoveSlotsStep,
  type NodeReading,
  type SlotRange,
} from '@redrover/core';
import type { MoveNode, MoveNodes } from '../mover/move-nodes.ts';

export interface Ownership {
  /** Both ends say that the target owns them. */
  readonly atTarget: readonly number[];
  /** Both ends say that the source owns them. */
  readonly atSource: readonly number[];
  /** The ends differ, or name a third. */
  readonly unclear: readonly number[];
}

export interface EndReadings {
  readonly source: NodeReading;
  readonly target: NodeReading;
}

/** Undefined while one of them does not answer. */
export async function readEnds(nodes: MoveNodes): Promise<EndReadings | undefined> {
  const [source, target] = await Promise.all([nodes.source.read([]), nodes.target.read([])]);
  if (source === undefined || target === undefined) return undefined;
  return { source: source.reading, target: target.reading };
}

export function ownershipOf(
  { source, target }: MoveSlotsStep,
  slots: readonly number[],
  ends: EndReadings,
): Ownership {
  const bySource = ownersIn(ends.source.view);
  const byTarget = ownersIn(ends.target.view);
  const atTarget: number[] = [];
  const atSource: number[] = [];
  const unclear: number[] = [];
  for (const slot of slots) {
    const [one, other] = [bySource[slot], byTarget[slot]];
    if (one === target.nodeId && other === target.nodeId) atTarget.push(slot);
    else if (one === source.nodeId && other === source.nodeId) atSource.push(slot);
    else unclear.push(slot);
  }
  return { atTarget, atSource, unclear };
}

export interface Laggard {
  readonly node: MoveNode;
  /** Undefined: it does not answer. */
  readonly slots: readonly number[] | undefined;
  readonly isMaster: boolean;
}

/** Of all nodes of the step, those that do not see the target as owner of every one of the slots. */
export async function findLaggards(
  nodes: MoveNodes,
  targetId: string,
  slots: readonly number[],
): Promise<readonly Laggard[]> {
  const { source, target, sourceReplicas, targetReplicas, otherMasters } = nodes;
  const all = [source, target, ...sourceReplicas, ...targetReplicas, ...otherMasters];
  const seen = await Promise.all(
    all.map(async (node): Promise<Laggard> => {
      const answer = await node.read([]);
      const isMaster = answer?.reading.role === 'master';
      if (answer === undefined || answer.reading.loading)
        return { node, slots: undefined, isMaster };
      const owners = ownersIn(answer.reading.view);
      return { node, slots: slots.filter((slot) => owners[slot] !== targetId), isMaster };
    }),
  );
  return seen.filter((laggard) => laggard.slots === undefined || laggard.slots.length > 0);
}

export function slotsIn(ranges: readonly SlotRange[]): number[] {
  return normalizeRanges(ranges).flatMap(({ start, end }) =>
    Array.from({ length: end - start + 1 }, (_, index) => start + index),
  );
}

export function rangesOf(slots: readonly number[]): SlotRange[] {
  return normalizeRanges(slots.map((slot) => ({ start: slot, end: slot })));
}

/** Node id by slot. */
function ownersIn(view: ClusterView): readonly (string | undefined)[] {
  const owners: (string | undefined)[] = [];
  for (const { nodeId, slots } of view.nodes) {
    for (const { start, end } of slots) {
      for (let slot = start; slot <= end; slot += 1) owners[slot] = nodeId;
    }
  }
  return owners;
}
