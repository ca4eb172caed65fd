/**
 * The questions of a survey, each so small that it blocks the node for less than a millisecond or so.
 * What is asked in which order is `survey-slots.ts`'s business.
 */
import type { SlotRange } from '@redrover/core';
import type { Link } from '../migrate/link/link.ts';
import { encode } from '../migrate/link/resp-command.ts';
import { ReplyFault, type Reply, replyText } from '../migrate/link/resp-parser.ts';

export interface MeasuredKey {
  readonly name: Buffer;
  readonly bytes: number;
}

export interface ScanPage {
  /** `0`: that was all. */
  readonly cursor: string;
  readonly keys: readonly Buffer[];
}

/** A few microseconds each: elements of a collection are sampled (Redis command page MEMORY USAGE). */
const MEASURED_AT_ONCE = 100;
/** Some tens of microseconds each, of which names are most. */
const LISTED_AT_ONCE = 16;
/** Keys that one step of SCAN looks at. */
const SCAN_COUNT = 250;
/** Each slot costs about a microsecond (Redis command page CLUSTER SLOT-STATS). */
const SLOT_STATS_AT_ONCE = 256;

/** Some keys of each slot, at most `count`; the same ones each time, as long as nothing changes. */
export async function listKeys(
  link: Link,
  slots: readonly number[],
  count: number,
): Promise<Buffer[][]> {
  const lists: Buffer[][] = [];
  // Long lists are asked for one by one, so that clients have their turn in between.
  const atOnce = Math.max(1, Math.min(LISTED_AT_ONCE, Math.floor(MEASURED_AT_ONCE / count)));
  for (const part of chunks(slots, atOnce)) {
    const commands = part.map((slot) => encode('CLUSTER', 'GETKEYSINSLOT', slot, count));
    const replies = await link.exchange({ commands, what: 'listing keys' });
    lists.push(...replies.map(buffersOf));
  }
  return lists;
}

/** Of keys that are gone by now, or have moved away, nothing is answered. */
export async function measureKeys(link: Link, keys: readonly Buffer[]): Promise<MeasuredKey[]> {
  const measured: MeasuredKey[] = [];
  for (const part of chunks(keys, MEASURED_AT_ONCE)) {
    const commands = part.map((name) => encode('MEMORY', 'USAGE', name));
    const replies = await link.exchange({ commands, what: 'measuring keys' });
    for (const [index, name] of part.entries()) {
      const bytes = replies[index];
      if (typeof bytes === 'number') measured.push({ name, bytes });
    }
  }
  return measured;
}

/** Undefined when it is gone. */
export async function typeOf(link: Link, name: Buffer): Promise<string | undefined> {
  const [reply] = await link.exchange({ commands: [encode('TYPE', name)], what: 'asking a type' });
  return typeof reply === 'string' && reply !== 'none' ? reply : undefined;
}

/** One step through all keys of the node. */
export async function scanKeys(link: Link, cursor: string): Promise<ScanPage> {
  const reply = await link.call('scanning keys', encode('SCAN', cursor, 'COUNT', SCAN_COUNT));
  const [next = null, keys = null] = Array.isArray(reply) ? (reply as readonly Reply[]) : [];
  return { cursor: replyText(next), keys: buffersOf(keys) };
}

/**
 * Bytes by slot where the server counts them: `CLUSTER SLOT-STATS` with memory tracking, which has to
 * be in the config (`cluster-slot-stats-enabled`). Undefined where it does not.
 */
export async function readSlotBytes(
  link: Link,
  ranges: readonly SlotRange[],
): Promise<ReadonlyMap<number, number> | undefined> {
  const bytes = new Map<number, number>();
  for (const { start, end } of ranges.flatMap(splitRange)) {
    const command = encode('CLUSTER', 'SLOT-STATS', 'SLOTSRANGE', start, end);
    const [reply = null] = await link.exchange({ commands: [command], what: 'reading slot stats' });
    if (!Array.isArray(reply)) return undefined;
    for (const [slot, fields] of reply as readonly (readonly [number, Reply])[]) {
      const value = memoryOf(fields);
      if (value === undefined) return undefined;
      bytes.set(slot, value);
    }
  }
  return bytes;
}

/** Names and values take turns: `key-count`, 1, `memory-bytes`, 96, … */
function memoryOf(fields: Reply): number | undefined {
  if (!Array.isArray(fields)) return undefined;
  const texts = (fields as readonly Reply[]).map(String);
  const at = texts.indexOf('memory-bytes');
  return at === -1 ? undefined : Number(texts[at + 1]);
}

function splitRange({ start, end }: SlotRange): SlotRange[] {
  const parts: SlotRange[] = [];
  for (let from = start; from <= end; from += SLOT_STATS_AT_ONCE) {
    parts.push({ start: from, end: Math.min(end, from + SLOT_STATS_AT_ONCE - 1) });
  }
  return parts;
}

function buffersOf(reply: Reply): Buffer[] {
  if (reply instanceof ReplyFault || !Array.isArray(reply)) return [];
  return (reply as readonly Reply[]).filter((part) => Buffer.isBuffer(part));
}

function* chunks<T>(all: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < all.length; start += size) yield all.slice(start, start + size);
}
