/**
 * Whether an end that does not answer has been replaced: by the word of everybody who does answer, it is
 * forgotten, a replica now, or a replica of its own has its slots. Such a node steps down as soon as it
 * hears of that, so that nobody has to wait for it. Nothing is decided here.
 */
import type { ClusterView, MoveEnd, MoveSlotsStep } from '@redrover/core';
import type { MoveNode, MoveNodes } from '../mover/move-nodes.ts';

export type EndName = 'source' | 'target';

/** The first end that is silent and has been replaced. */
export async function findReplaced(
  nodes: MoveNodes,
  step: MoveSlotsStep,
): Promise<EndName | undefined> {
  for (const name of ['source', 'target'] as const) {
    if (nodes[name].openLinkNow === undefined && (await isReplaced(nodes, step, name))) return name;
  }
  return undefined;
}

/** Errs on the side of no: one who has not heard of it yet is enough. */
export async function isReplaced(
  nodes: MoveNodes,
  step: MoveSlotsStep,
  name: EndName,
): Promise<boolean> {
  const { sourceReplicas, targetReplicas, otherMasters } = nodes;
  const other = name === 'source' ? nodes.target : nodes.source;
  const views = await readViews([other, ...sourceReplicas, ...targetReplicas, ...otherMasters]);
  const replicas = name === 'source' ? step.sourceReplicas : step.targetReplicas;
  return views.length > 0 && views.every((view) => isReplacedIn(view, step[name], replicas));
}

function isReplacedIn(
  { nodes }: ClusterView,
  { nodeId }: MoveEnd,
  replicas: readonly MoveEnd[],
): boolean {
  const entry = nodes.find((node) => node.nodeId === nodeId);
  if (entry === undefined || entry.masterId !== '') return true;
  const isHeir = (id: string): boolean => replicas.some((replica) => replica.nodeId === id);
  return (
    entry.slots.length === 0 && nodes.some((node) => isHeir(node.nodeId) && node.slots.length > 0)
  );
}

async function readViews(asked: readonly MoveNode[]): Promise<ClusterView[]> {
  const answers = await Promise.all(asked.map((node) => node.read([])));
  return answers.flatMap((answer) =>
    answer === undefined || answer.reading.loading ? [] : [answer.reading.view],
  );
}
