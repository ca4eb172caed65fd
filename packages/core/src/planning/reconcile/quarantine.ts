/** Slots that movers of this operation gave up: left where they are until a person decides. */
import type { QuarantinedSlot } from '../../model/migration.ts';
import type { History } from '../../model/operation.ts';
import { normalizeRanges, type SlotRange } from '../../model/slots.ts';

/** The last word on each slot that movers of this operation gave up. */
export function listQuarantined(history: History): QuarantinedSlot[] {
  const bySlot = new Map<number, QuarantinedSlot>();
  for (const { move } of history) {
    for (const quarantined of move?.quarantined ?? []) bySlot.set(quarantined.slot, quarantined);
  }
  return [...bySlot.values()].sort((a, b) => a.slot - b.slot);
}

export function quarantinedRanges(history: History): SlotRange[] {
  return normalizeRanges(listQuarantined(history).map(({ slot }) => ({ start: slot, end: slot })));
}
