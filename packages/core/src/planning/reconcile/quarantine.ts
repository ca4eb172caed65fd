/**
 * Slots that movers of this operation gave up: left where they are until a person decides. Nor do their ends give
 * them new owners then; but whoever takes the place of one is told of the slot, see `listMisleading`.
 */
import type { NodeKey } from '../../model/layout.ts';
import type { QuarantinedSlot } from '../../model/migration.ts';
import type { History } from '../../model/operation.ts';
import { normalizeRanges, type SlotRange } from '../../model/slots.ts';
import type { Fleet } from './fleet.ts';
import { pairOfKey } from './movers.ts';
import { hasEnds, type OpenSlotMove } from './open-slots.ts';

interface LastWord {
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
  return normalizeRanges(listQuarantined(history).map(({ slot }) => ({ start: slot, end: slot })));
}

function readLastWords(history: History): ReadonlyMap<number, LastWord> {
  const bySlot = new Map<number, LastWord>();
  for (const { move, stepKey } of history) {
    for (const quarantined of move?.quarantined ?? []) {
      bySlot.set(quarantined.slot, { quarantined, pair: pairOfKey(stepKey) });
    }
  }
  return bySlot;
}

/** A slot that was left for one of these was open on both ends, or on none. */
const LEFT_OPEN: ReadonlySet<string> = new Set(['key-differs', 'key-too-large']);

/**
 * Of those that are open: which send clients astray, as an end was replaced since. A source that is MIGRATING to
 * whoever does not import the slot sends them in a circle, as that one names the source; one that is not MIGRATING
 * says of keys that went ahead that there are none.
 *
 * A mover opens such a slot anew and, as nobody has decided, gives it up again. So each is named once for each pair
 * of ends, where opening it does not help.
 */
export function listMisleading({ history }: Fleet, open: readonly OpenSlotMove[]): number[] {
  const words = readLastWords(history);
  return open
    .filter((move) => {
      const word = words.get(move.slot);
      if (word === undefined || !hasEnds(move) || leadsClients(move)) return false;
      return LEFT_OPEN.has(word.quarantined.rule) || !isBetween(move, word);
    })
    .map(({ slot }) => slot);
}

/** Whether each end has it open towards the other. */
function leadsClients({ slot, source, target }: OpenSlotMove): boolean {
  const isAt = (nodeId: string | undefined) => (flag: { slot: number; nodeId: string }) =>
    flag.slot === slot && flag.nodeId === nodeId;
  return (
    source?.self?.migrating.some(isAt(target?.redis.nodeId)) === true &&
    target?.self?.importing.some(isAt(source.redis.nodeId)) === true
  );
}

function isBetween({ source, target }: OpenSlotMove, { pair }: LastWord): boolean {
  return pair?.source === source?.node.key && pair?.target === target?.node.key;
}
