/** What must hold before the servers are asked to move slots; both refuse less than this. */
import { RedroverError, type MoveSlotsStep } from '@redrover/core';
import type { EndReadings } from './ownership.ts';

/** @throws RedroverError `failed-precondition`. */
export function requireReady(step: MoveSlotsStep, { source, target }: EndReadings): void {
  for (const [end, reading] of [
    [step.source, source],
    [step.target, target],
  ] as const) {
    const own = reading.view.nodes.find(({ nodeId }) => nodeId === end.nodeId);
    const open = [...(own?.migrating ?? []), ...(own?.importing ?? [])];
    if (open.length > 0) {
      throw new RedroverError(
        'failed-precondition',
        `${end.node} has ${open.length} open slots (${open[0]?.slot}, ...): ${step.engine} needs ` +
          'them closed; run `redrover cluster repair`, or move them with --engine migrate',
      );
    }
    if (!reading.stateOk) {
      throw new RedroverError('unavailable', `${end.node} says that its cluster is not ok`);
    }
  }
}
