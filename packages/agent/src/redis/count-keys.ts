/**
 * How many keys are in slots of a node. One script asks for many slots in one round trip and answers those that have
 * any; where scripts are refused, the same is asked for slot by slot. What the counts mean is not said here.
 */
import { listSlots, rangesOf, RedroverError, type SlotKeys, type SlotRange } from '@redrover/core';
import type { NodeConnection, RedisCommand } from './node-connection.ts';

/** Each costs the server about a microsecond: half a millisecond of other clients' time. */
const CHUNK = 512;

/** Slots by their ranges, `start end start end …`; answers `slot count slot count …`. */
const SCRIPT = `
local found = {}
for at = 1, #ARGV, 2 do
  for slot = tonumber(ARGV[at]), tonumber(ARGV[at + 1]) do
    local count = redis.call('CLUSTER', 'COUNTKEYSINSLOT', slot)
    if count > 0 then
      found[#found + 1] = slot
      found[#found + 1] = count
    end
  end
end
return found
`;

export interface CountQuestion {
  readonly connection: Pick<NodeConnection, 'pipeline'>;
  readonly options: { readonly timeoutMs?: number };
}

/** Those that have any. */
export function countKeysIn(
  question: CountQuestion,
  slots: readonly number[],
): Promise<SlotKeys[]> {
  const ranges = rangesOf(slots);
  return countKeysInRanges(question, ranges);
}

/** The same of normalized ranges. One chunk after another: clients are served in between. */
export async function countKeysInRanges(
  question: CountQuestion,
  ranges: readonly SlotRange[],
): Promise<SlotKeys[]> {
  const found: SlotKeys[] = [];
  let takesScripts = true;
  for (const chunk of chunksOf(ranges)) {
    const counted: SlotKeys[] | undefined = takesScripts
      ? await countByScript(question, chunk)
      : undefined;
    takesScripts = counted !== undefined;
    found.push(...(counted ?? (await countOneByOne(question, chunk))));
  }
  return found;
}

function* chunksOf(ranges: readonly SlotRange[]): Generator<readonly SlotRange[]> {
  let chunk: SlotRange[] = [];
  let room = CHUNK;
  for (const { start, end } of ranges) {
    for (let from = start; from <= end;) {
      const until = Math.min(end, from + room - 1);
      chunk.push({ start: from, end: until });
      room -= until - from + 1;
      from = until + 1;
      if (room > 0) continue;
      yield chunk;
      chunk = [];
      room = CHUNK;
    }
  }
  if (chunk.length > 0) yield chunk;
}

/** Undefined: it is renamed, forbidden by an ACL, or a script keeps the server busy. */
async function countByScript(
  { connection, options }: CountQuestion,
  ranges: readonly SlotRange[],
): Promise<SlotKeys[] | undefined> {
  const args = ranges.flatMap(({ start, end }) => [start, end]);
  const [reply] = await connection.pipeline([['EVAL', SCRIPT, 0, ...args]], options);
  if (!Array.isArray(reply)) return undefined;
  const numbers = reply.map(Number);
  return numbers.flatMap((slot, index) =>
    index % 2 === 0 ? [{ slot, keys: numbers[index + 1] ?? 0 }] : [],
  );
}

async function countOneByOne(
  { connection, options }: CountQuestion,
  ranges: readonly SlotRange[],
): Promise<SlotKeys[]> {
  const slots = listSlots(ranges);
  const questions = slots.map((slot): RedisCommand => ['CLUSTER', 'COUNTKEYSINSLOT', slot]);
  const replies = await connection.pipeline(questions, options);
  return slots.flatMap((slot, index) => {
    const reply = replies[index];
    if (reply instanceof RedroverError) throw reply;
    return Number(reply) > 0 ? [{ slot, keys: Number(reply) }] : [];
  });
}
