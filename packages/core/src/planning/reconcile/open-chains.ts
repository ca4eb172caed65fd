/**
 * Slots that are half way through the same master: those that go to it are finished first, as a source must not
 * become a target meanwhile. In a circle there is no first, and a person decides.
 */
import type { Finding } from '../../model/finding.ts';
import type { Fleet } from './fleet.ts';
import { hasEnds, listOpenSlots, type OpenSlotMove } from './open-slots.ts';

interface Pair<T> {
  readonly source: T;
  readonly target: T;
}

/** Those whose source no other one goes to. */
export function headsOf<T, P extends Pair<T>>(pairs: readonly P[]): P[] {
  const targets = new Set(pairs.map(({ target }) => target));
  return pairs.filter(({ source }) => !targets.has(source));
}

/** Those that no order of finishing gets to: in a circle, or behind one. */
export function listCircular<T, P extends Pair<T>>(pairs: readonly P[]): readonly P[] {
  let left = pairs;
  for (;;) {
    const heads = new Set(headsOf<T, P>(left));
    if (heads.size === 0) return left;
    left = left.filter((pair) => !heads.has(pair));
  }
}

/** Slots that are open between masters in a circle. */
export function listCircularSlots(fleet: Fleet): readonly OpenSlotMove[] {
  const open = listOpenSlots(fleet).filter(hasEnds);
  return listCircular<OpenSlotMove['source'], OpenSlotMove>(open);
}

export function findCircles(fleet: Fleet): Finding[] {
  const circular = listCircularSlots(fleet);
  return circular.map(({ slot, source, target }) => ({
    rule: 'open-slots-in-a-circle',
    severity: 'warning',
    subject: `slot ${slot}`,
    message:
      `Slot ${slot} is half way from ${source?.node.key ?? ''} to ${target?.node.key ?? ''}, and other slots are ` +
      'half way between masters the other way round: none of them can be finished first.',
    evidence: circular.map(
      (other) =>
        `slot ${other.slot}: open from ${other.source?.node.key ?? ''} to ${other.target?.node.key ?? ''}`,
    ),
    remedy:
      'Choose a slot of which the node that imports it has no key (CLUSTER COUNTKEYSINSLOT there), and send CLUSTER ' +
      `SETSLOT ${slot} STABLE to both its nodes, that one first; then redrover cluster repair ${fleet.layout.cluster}`,
  }));
}
