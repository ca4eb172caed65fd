/**
 * How large keys of slots are. One script measures many in one round trip, which is a tenth of what a command for each
 * key takes of both sides; where scripts are refused, or a slot has gone meanwhile, the same is asked key by key.
 */
import type { Link } from '../migrate/link/link.ts';
import { encode } from '../migrate/link/resp-command.ts';
import type { Reply } from '../migrate/link/resp-parser.ts';
import { slotOfKey } from '../steps/key-slot.ts';
import { listKeys, measureKeys, type MeasuredKey } from './survey-link.ts';

/** Keys of a slot by their places in its list, which stays as it is as long as nothing changes. */
export interface SlotPart {
  readonly slot: number;
  readonly start: number;
  /** Not of the part any more. */
  readonly end: number;
}

export interface PartMeasure {
  readonly slot: number;
  /** Those that were still there. */
  readonly keys: number;
  readonly bytes: number;
  readonly largest: MeasuredKey | undefined;
}

/** Some two microseconds each: other clients wait for a fraction of a millisecond. */
const KEYS_AT_ONCE = 128;
/** Of slots with few keys: names are looked for in each. */
const PARTS_AT_ONCE = 64;

/** Parts as `slot start end …`; answers `keys bytes largest-bytes largest-name …`. */
const SCRIPT = `
local found = {}
for at = 1, #ARGV, 3 do
  local names = redis.call('CLUSTER', 'GETKEYSINSLOT', ARGV[at], ARGV[at + 2])
  local keys, bytes, largest, name = 0, 0, 0, ''
  for place = ARGV[at + 1] + 1, #names do
    local size = redis.call('MEMORY', 'USAGE', names[place])
    if size then
      keys = keys + 1
      bytes = bytes + size
      if size > largest then
        largest = size
        name = names[place]
      end
    end
  end
  found[#found + 1] = keys
  found[#found + 1] = bytes
  found[#found + 1] = largest
  found[#found + 1] = name
end
return found
`;
const FIELDS = 4;

/** So much of a slot's keys, from the first on, as parts that do not hold up other clients. */
export function partsOf(slot: number, keys: number): SlotPart[] {
  const parts: SlotPart[] = [];
  for (let start = 0; start < keys; start += KEYS_AT_ONCE) {
    parts.push({ slot, start, end: Math.min(keys, start + KEYS_AT_ONCE) });
  }
  return parts;
}

/** As many of the parts, in their order, as are measured in one go; of each slot one at most. */
export function* batchesOf(parts: readonly SlotPart[]): Generator<readonly SlotPart[]> {
  let batch: SlotPart[] = [];
  let keys = 0;
  for (const part of parts) {
    const size = part.end - part.start;
    if (batch.length > 0 && (keys + size > KEYS_AT_ONCE || batch.length >= PARTS_AT_ONCE)) {
      yield batch;
      batch = [];
      keys = 0;
    }
    batch.push(part);
    keys += size;
  }
  if (batch.length > 0) yield batch;
}

/** One measure for each part. Keys that are gone by now, or have moved away, are in none. */
export async function measureParts(
  link: Link,
  batch: readonly SlotPart[],
): Promise<readonly PartMeasure[]> {
  return (await byScript(link, batch)) ?? oneByOne(link, batch);
}

/** Undefined: it is renamed, forbidden by an ACL, or one of the slots is somebody else's by now. */
async function byScript(
  link: Link,
  batch: readonly SlotPart[],
): Promise<PartMeasure[] | undefined> {
  const args = batch.flatMap(({ slot, start, end }) => [slot, start, end]);
  const commands = [encode('EVAL', SCRIPT, 0, ...args)];
  const [reply] = await link.exchange({ commands, what: 'measuring keys' });
  if (!Array.isArray(reply)) return undefined;
  const fields = reply as readonly Reply[];
  return batch.map(({ slot }, index) => {
    const [keys, bytes, largest, name] = fields.slice(index * FIELDS, (index + 1) * FIELDS);
    const isAny = Number(keys) > 0 && Buffer.isBuffer(name);
    return {
      slot,
      keys: Number(keys),
      bytes: Number(bytes),
      largest: isAny ? { name, bytes: Number(largest) } : undefined,
    };
  });
}

async function oneByOne(link: Link, batch: readonly SlotPart[]): Promise<PartMeasure[]> {
  const slots = batch.map(({ slot }) => slot);
  const lists = await listKeys(link, slots, Math.max(...batch.map(({ end }) => end)));
  const names = batch.flatMap(({ start, end }, index) => lists[index]?.slice(start, end) ?? []);
  const bySlot = Map.groupBy(await measureKeys(link, names), ({ name }) => slotOfKey(name));
  return slots.map((slot) => {
    const keys = bySlot.get(slot) ?? [];
    return {
      slot,
      keys: keys.length,
      bytes: keys.reduce((sum, key) => sum + key.bytes, 0),
      largest: keys.toSorted((a, b) => b.bytes - a.bytes)[0],
    };
  });
}
