/** How much the slots of a task hold, and whether the target has room for it. */
import { replyText } from '../link/resp-parser.ts';
import { readInfo, readInfoFields, RedroverError } from '@redrover/core';
import type { Link } from '../link/link.ts';
import { encode } from '../link/resp-command.ts';

export interface SlotLoad {
  readonly slot: number;
  readonly keys: number;
  readonly bytes: number;
}

/** Each costs less than a microsecond; in between clients have their turn. */
const COUNTS_AT_ONCE = 256;
/** Of what comes in: buffers, fragmentation and what is written meanwhile. */
const HEADROOM = 1.2;

/** Keys are counted; bytes follow from what a key of the node takes on average. */
export async function measureSlots(link: Link, slots: readonly number[]): Promise<SlotLoad[]> {
  const bytesPerKey = await readBytesPerKey(link);
  const loads: SlotLoad[] = [];
  for (let start = 0; start < slots.length; start += COUNTS_AT_ONCE) {
    const part = slots.slice(start, start + COUNTS_AT_ONCE);
    const commands = part.map((slot) => encode('CLUSTER', 'COUNTKEYSINSLOT', slot));
    const counts = await link.exchange({ commands, what: 'counting keys' });
    for (const [index, slot] of part.entries()) {
      const keys = Number(counts[index]) || 0;
      loads.push({ slot, keys, bytes: Math.round(keys * bytesPerKey) });
    }
  }
  return loads;
}

async function readBytesPerKey(link: Link): Promise<number> {
  const text = await readInfoText(link);
  const dataset = Number(readInfoFields(text).get('used_memory_dataset')) || 0;
  const { keys } = readInfo(text);
  return keys === 0 ? 0 : dataset / keys;
}

async function readInfoText(link: Link): Promise<string> {
  return replyText(await link.call('reading its memory', encode('INFO')));
}

/**
 * A target that is full evicts keys by its policy, in silence, or refuses writes.
 *
 * @throws RedroverError `resource-exhausted`.
 */
export async function requireHeadroom(target: Link, incomingBytes: number): Promise<void> {
  const { usedMemoryBytes, maxmemoryBytes } = readInfo(await readInfoText(target));
  const needed = usedMemoryBytes + incomingBytes * HEADROOM;
  if (maxmemoryBytes === 0 || needed <= maxmemoryBytes) return;
  throw new RedroverError(
    'resource-exhausted',
    `${target.key} has ${usedMemoryBytes} of ${maxmemoryBytes} bytes in use, and some ` +
      `${incomingBytes} would come in; raise its maxmemory, or move fewer slots`,
  );
}

/** How far the target is, as far as it says so. */
export interface Arrived {
  readonly keys: number;
  readonly bytes: number;
}

/** Since the server's start, so that two readings make a difference. */
export async function readArrived(target: Link): Promise<Arrived> {
  const text = await readInfoText(target);
  const bytes = Number(readInfoFields(text).get('total_net_cluster_slot_import_bytes')) || 0;
  return { keys: readInfo(text).keys, bytes };
}
