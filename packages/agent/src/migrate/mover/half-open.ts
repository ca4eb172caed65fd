/**
 * Which of a task's slots are open on an end already, whoever opened them: they are gone on with together, before any
 * other is opened. A target that has forgotten who owns some of them serves nobody before it is told of all.
 */
import type { Asked, ClusterView } from '@redrover/core';
import type { WindowReading } from './move-nodes.ts';

export function listHalfOpen(
  slots: readonly number[],
  { move }: Pick<WindowReading, 'move'>,
): readonly number[] {
  const open = new Set([...openOn(move.source), ...openOn(move.target)]);
  return slots.filter((slot) => open.has(slot));
}

function openOn({ reading }: Asked): number[] {
  return reading === undefined ? [] : openIn(reading.view, reading.nodeId);
}

function openIn({ nodes }: ClusterView, nodeId: string): number[] {
  const own = nodes.filter((node) => node.nodeId === nodeId);
  return own.flatMap((node) => [...node.migrating, ...node.importing].map(({ slot }) => slot));
}
