/**
 * Slots that movers of this operation gave up: left where they are until a person decides. Nor do their ends give
 * them new owners then; but whoever takes the place of one is told of the slot, see `misleading.ts`.
 */
import type { NodeKey } from '../../model/layout.ts';
import type { QuarantinedSlot } from '../../model/migration.ts';
import type { History } from '../../model/operation.ts';
import { rangesOf, type SlotRange } from '../../model/slots.ts';
import { pairOfKey } from './movers.ts';

export interface LastWord {
  readonly quarantined: QuarantinedSlot;
  /** Between which two it was. */
  readonly pair: { readonly source: NodeKey; readonly target: NodeKey } | undefined;
}

/** The last word on each slot that movers of this operation gave up. */
export function listQuarantined(history: History): QuarantinedSlot[] {
  const words = [...readLastWords(history).values()];
  return words.map(({ quarantined }) => quarantined).sort((a, b) => a.slot - b.slot);
}

export function quarantinedRanges(history: History): SlotRange[] {
  return rangesOf(listQuarantined(history).map(({ slot }) => slot));
}

export function readLastWords(history: History): ReadonlyMap<number, LastWord> {
  const bySlot = new Map<number, LastWord>();
  for (const { move, stepKey } of history) {
    for (const quarantined of move?.quarantined ?? []) {
      bySlot.set(quarantined.slot, { quarantined, pair: pairOfKey(stepKey) });
    }
  }
  return bySlot;
}
