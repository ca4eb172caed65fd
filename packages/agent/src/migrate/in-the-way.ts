/** Which tasks must not be at work at once: a node is source or target, never both, and a pair has one mover. */
import type { MoveSlotsStep } from '@redrover/core';

type Pair = Pick<MoveSlotsStep, 'source' | 'target'>;

export function isSamePair(a: Pair, b: Pair): boolean {
  return a.source.node === b.source.node && a.target.node === b.target.node;
}

export function isInTheWay(a: Pair, b: Pair): boolean {
  const crossed = a.target.node === b.source.node || a.source.node === b.target.node;
  return crossed || isSamePair(a, b);
}
