/** Open slots that are a person's to decide about: they stay as they are meanwhile, and hold up nothing else. */
import type { LiveNode } from '../situation.ts';
import { toSlotSet } from './due-moves.ts';
import type { Fleet } from './fleet.ts';
import { listCircularSlots } from './open-chains.ts';
import { hasEnds, listOpenSlots } from './open-slots.ts';

export function listUndecidedSlots(fleet: Fleet): ReadonlySet<number> {
  const aside = toSlotSet(fleet.setAside);
  const left = listOpenSlots(fleet).filter(
    (open) => (open.isQuiet && !hasEnds(open)) || aside.has(open.slot),
  );
  return new Set([...left, ...listCircularSlots(fleet)].map(({ slot }) => slot));
}

/** The slots that a node has open, on whichever end. */
export function openSlotsOf({ self }: LiveNode): number[] {
  return [...(self?.migrating ?? []), ...(self?.importing ?? [])].map(({ slot }) => slot);
}
