/** Who owns the slots of a task, by the words of both ends and of everybody else. Asks all at once, judges nothing. */
import { type ClusterView, type MoveSlotsStep, type NodeReading } from '@redrover/core';
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
  const [bySource, byTarget] = [ends.source.view, ends.target.view];
  const given = [slotTest(bySource, target.nodeId), slotTest(byTarget, target.nodeId)];
  const kept = [slotTest(bySource, source.nodeId), slotTest(byTarget, source.nodeId)];
  const atTarget: number[] = [];
  const atSource: number[] = [];
  const unclear: number[] = [];
  for (const slot of slots) {
    if (given.every((isIn) => isIn(slot))) atTarget.push(slot);
    else if (kept.every((isIn) => isIn(slot))) atSource.push(slot);
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
      const isOwned = slotTest(answer.reading.view, targetId);
      return { node, slots: slots.filter((slot) => !isOwned(slot)), isMaster };
    }),
  );
  return seen.filter((laggard) => laggard.slots === undefined || laggard.slots.length > 0);
}

/** Whether a slot is the node's own in the view; a node has few ranges, and is asked about many slots. */
function slotTest(view: ClusterView, nodeId: string): (slot: number) => boolean {
  const ranges = view.nodes.find((node) => node.nodeId === nodeId)?.slots ?? [];
  return (slot) => ranges.some(({ start, end }) => start <= slot && slot <= end);
}
