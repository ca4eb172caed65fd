/** Which of the slots that wait for a person, and are open, send clients astray: they are opened anew. */
import type { Fleet } from './fleet.ts';
import { hasEnds, type OpenSlotMove } from './open-slots.ts';
import { readLastWords, type LastWord } from './quarantine.ts';

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
