/**
 * Names of a slot's keys, cut into batches by what they take. One script looks at the names and their
 * sizes in one round trip and blocks the source for microseconds a key; where scripts are refused, the
 * same is asked for by commands.
 */
import type { OversizedKey } from '@redrover/core';
import { showKeyName } from '../../survey/key-name.ts';
import type { Link } from '../link/link.ts';
import { encode, encodeList } from '../link/resp-command.ts';
import { RawList, ReplyFault, type Reply, replyText } from '../link/resp-parser.ts';

export interface KeyBatch {
  readonly keys: RawList;
  /** `MEMORY USAGE` of all of them. */
  readonly bytes: number;
}

export interface KeyListing {
  readonly batches: readonly KeyBatch[];
  /** The first key above the ceiling that was met; the batches are those before it. */
  readonly oversized: OversizedKey | undefined;
}

export interface ListingLimits {
  readonly keys: number;
  readonly batchBytes: number;
  readonly batchKeys: number;
  readonly maxKeyBytes: number;
}

/** Each name and its size; MEMORY USAGE of a key that has expired is nothing, and MIGRATE skips it. */
const SCRIPT = `
local names = redis.call('CLUSTER', 'GETKEYSINSLOT', ARGV[1], ARGV[2])
local budget, most, ceiling = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local batches, batch, bytes = {}, {}, 0
local large = false
for i = 1, #names do
  local size = redis.pcall('MEMORY', 'USAGE', names[i])
  if type(size) ~= 'number' then size = 0 end
  if size > ceiling then
    large = { size, string.sub(names[i], 1, 512), redis.call('TYPE', names[i]).ok }
    break
  end
  if #batch > 0 and (bytes + size > budget or #batch >= most) then
    batches[#batches + 1] = { bytes, batch }
    batch, bytes = {}, 0
  end
  batch[#batch + 1] = names[i]
  bytes = bytes + size
end
if #batch > 0 then batches[#batches + 1] = { bytes, batch } end
if large then return { batches, large } end
return { batches }
`;

const LISTING_TIMEOUT_MS = 10_000;
const LOAD_SCRIPT = encode('SCRIPT', 'LOAD', SCRIPT);

/** Lists keys of slots of one source; learns once whether that takes scripts. */
export class KeyLister {
  #sha: string | undefined;
  #takesScripts = true;

  /** A listing for each slot, asked for in one write. @throws RedroverError, also for an error reply. */
  async list(link: Link, slots: readonly number[], limits: ListingLimits): Promise<KeyListing[]> {
    if (this.#takesScripts) {
      const replies = await this.#runScript(link, slots, limits);
      if (!replies.some((reply) => reply instanceof ReplyFault)) {
        return replies.map((reply) => readListing(reply, limits));
      }
      // Renamed, forbidden by an ACL, or anything else that makes scripts no way: there is another.
      this.#takesScripts = false;
    }
    const listings: KeyListing[] = [];
    for (const slot of slots) listings.push(await listByCommands(link, slot, limits));
    return listings;
  }

  async #runScript(
    link: Link,
    slots: readonly number[],
    limits: ListingLimits,
  ): Promise<readonly Reply[]> {
    const sha = (this.#sha ??= replyText(await link.call('SCRIPT LOAD', LOAD_SCRIPT)));
    const { keys, batchBytes, batchKeys, maxKeyBytes } = limits;
    const ask = (command: string, script: string): Promise<Reply[]> => {
      const commands = slots.map((slot) =>
        encode(command, script, 0, slot, keys, batchBytes, batchKeys, maxKeyBytes),
      );
      const timeoutMs = LISTING_TIMEOUT_MS;
      return link.exchange({ commands, isRaw: true, what: 'listing keys', timeoutMs });
    };
    const replies = await ask('EVALSHA', sha);
    // A restarted server, or SCRIPT FLUSH: it is sent as a whole then.
    const isForgotten = replies.some(
      (reply) => reply instanceof ReplyFault && reply.code === 'NOSCRIPT',
    );
    return isForgotten ? ask('EVAL', SCRIPT) : replies;
  }
}

function readListing(reply: Reply, { maxKeyBytes }: ListingLimits): KeyListing {
  const [batches, large] = Array.isArray(reply) ? reply : [];
  return {
    batches: (Array.isArray(batches) ? batches : []).flatMap((batch: Reply) => {
      const [bytes, keys] = Array.isArray(batch) ? batch : [];
      return keys instanceof RawList ? [{ bytes: Number(bytes), keys }] : [];
    }),
    oversized: Array.isArray(large) ? readLarge(large as readonly Reply[], maxKeyBytes) : undefined,
  };
}

function readLarge([size, name, type]: readonly Reply[], maxBytes: number): OversizedKey {
  const key = Buffer.isBuffer(name) ? showKeyName(name) : '?';
  return { key, type: replyText(type), bytes: Number(size), maxBytes };
}

async function listByCommands(
  link: Link,
  slot: number,
  limits: ListingLimits,
): Promise<KeyListing> {
  const names = await namesOf(link, slot, limits.keys);
  const sizes = await link.exchange({
    commands: names.map((name) => encode('MEMORY', 'USAGE', name)),
    what: 'measuring keys',
    timeoutMs: LISTING_TIMEOUT_MS,
  });
  const batches: KeyBatch[] = [];
  let batch: Buffer[] = [];
  let bytes = 0;
  const flush = (): void => {
    if (batch.length > 0) batches.push({ keys: encodeList(batch), bytes });
    batch = [];
    bytes = 0;
  };
  for (const [index, name] of names.entries()) {
    const reply = sizes[index];
    // Expired, or a server that does not tell: MIGRATE skips the one and moves the other.
    const size = typeof reply === 'number' ? reply : 0;
    if (size > limits.maxKeyBytes) {
      flush();
      const type = await link.call('TYPE', encode('TYPE', name));
      return { batches, oversized: readLarge([size, name, type], limits.maxKeyBytes) };
    }
    if (bytes + size > limits.batchBytes || batch.length >= limits.batchKeys) flush();
    batch.push(name);
    bytes += size;
  }
  flush();
  return { batches, oversized: undefined };
}

async function namesOf(link: Link, slot: number, count: number): Promise<Buffer[]> {
  const command = encode('CLUSTER', 'GETKEYSINSLOT', slot, count);
  const reply = await link.call('CLUSTER GETKEYSINSLOT', command, LISTING_TIMEOUT_MS);
  return Array.isArray(reply) ? reply.filter((name) => Buffer.isBuffer(name)) : [];
}
