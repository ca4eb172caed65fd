/**
 * Which steps may run at once: those of one node (or of one host as a whole) run one after
 * another, in the order of the plan; different lanes know nothing of each other.
 */
import type { Step } from '@redrover/core';

export function laneOf(step: Step): string {
  switch (step.kind) {
    case 'buildRelease':
    case 'fetchBuild':
    case 'probeMesh':
    case 'stopMoves':
      return step.host;
    case 'moveSlots':
      // Others act on the same node meanwhile: it is not held up by what may take hours.
      return `${step.source.node} > ${step.target.node}`;
    case 'prepareNode':
      return step.plan.node.key;
    default:
      return step.node;
  }
}

/** Keeps the order within each lane. */
export function groupByLane(steps: readonly Step[]): Map<string, Step[]> {
  return Map.groupBy(steps, laneOf);
}
