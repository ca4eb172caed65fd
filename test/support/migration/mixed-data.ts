/**
 * Data of every type and of mixed sizes, in all slots, and a fingerprint of each key: whether it is the same
 * after it was moved. Nobody writes to it meanwhile.
 */
import { createHash } from 'node:crypto';
import type { Cluster } from 'ioredis';

export interface MixedDataOptions {
  /** How many keys; about 1 KB each on average. */
  readonly keys: number;
  readonly prefix?: string;
}

export interface LostKey {
  readonly key: string;
  readonly found: string;
}

const AT_ONCE = 200;
const MAX_TRIES = 100;
const RETRY_REST_MS = 100;

type Fill = (client: Cluster, key: Buffer, index: number) => Promise<unknown>;

const string =
  (bytes: number): Fill =>
  (client, key, index) =>
    client.set(key, `${index}:`.repeat(bytes).slice(0, bytes));

/** Of twenty keys in a row; most are small, as they are where Redis is used. */
const fills: readonly Fill[] = [
  ...Array.from({ length: 9 }, () => string(100)),
  string(700),
  string(700),
  string(5_000),
  (client, key, index) => client.set(key, `binary \0\n ${index}`, 'EX', 7_200),
  (client, key) =>
    client.hset(
      key,
      numbered(60, (each) => [`field${each}`, `value${each}`]),
    ),
  (client, key) => client.sadd(key, ...numbered(40, (each) => [`member${each}`])),
  (client, key) =>
    client.zadd(key, ...numbered(200, (each) => [String(each / 7), `member${each}`])),
  (client, key) => client.rpush(key, ...numbered(80, (each) => [`item${each}`])),
  (client, key) => client.pfadd(key, ...numbered(100, (each) => [`seen${each}`])),
  async (client, key) => {
    for (let each = 1; each <= 5; each += 1)
      await client.xadd(key, `${each}-1`, 'field', `${each}`);
    await client.xgroup('CREATE', key, 'readers', '3-1');
  },
  async (client, key, index) => {
    if (index % 400 !== 19) return client.set(key, 'small');
    return client.hset(
      key,
      numbered(6_000, (each) => [`field${each}`, 'x'.repeat(20)]),
    );
  },
];

export class MixedData {
  readonly #keys: readonly Buffer[];
  readonly #prints = new Map<number, string>();

  private constructor(keys: readonly Buffer[]) {
    this.#keys = keys;
  }

  static async write(client: Cluster, options: MixedDataOptions): Promise<MixedData> {
    const { keys, prefix = 'mixed' } = options;
    const names = Array.from({ length: keys }, (_, index) => nameOf(prefix, index));
    const data = new MixedData(names);
    await data.#forEach(async (key, index) => {
      await fills[index % fills.length]?.(client, key, index);
      data.#prints.set(index, await fingerprint(client, key));
    });
    return data;
  }

  get size(): number {
    return this.#keys.length;
  }

  /** Keys that are gone, or not as they were. Errors: of a cluster that does not come back. */
  async findLost(client: Cluster): Promise<LostKey[]> {
    const lost: LostKey[] = [];
    await this.#forEach(async (key, index) => {
      const found = await insist(() => fingerprint(client, key));
      if (found !== this.#prints.get(index)) lost.push({ key: key.toString('latin1'), found });
    });
    return lost;
  }

  async #forEach(work: (key: Buffer, index: number) => Promise<void>): Promise<void> {
    for (let from = 0; from < this.#keys.length; from += AT_ONCE) {
      const some = this.#keys.slice(from, from + AT_ONCE);
      await Promise.all(some.map((key, offset) => work(key, from + offset)));
    }
  }
}

/** Every seventh has a name that is no text. */
function nameOf(prefix: string, index: number): Buffer {
  const name = Buffer.from(`${prefix}:${index}`);
  return index % 7 === 0 ? Buffer.concat([name, Buffer.from([0xff, 0x00, 0x0a, 0xfe])]) : name;
}

function numbered(count: number, of: (index: number) => string[]): string[] {
  return Array.from({ length: count }, (_, index) => of(index)).flat();
}

/** Of its value, whatever its type; sets and hashes have no order. */
async function fingerprint(client: Cluster, key: Buffer): Promise<string> {
  const type = await client.type(key);
  if (type === 'none') return type;
  const value = await valueOf(client, key, type);
  const hash = createHash('sha1');
  for (const part of value) hash.update(part).update('|');
  return `${type} ${hash.digest('hex')}`;
}

async function valueOf(client: Cluster, key: Buffer, type: string): Promise<(string | Buffer)[]> {
  switch (type) {
    case 'string':
      return [(await client.getBuffer(key)) ?? '', String((await client.ttl(key)) > 0)];
    case 'hash':
      return Object.entries(await client.hgetall(key))
        .map((entry) => entry.join('='))
        .sort();
    case 'set':
      return (await client.smembers(key)).sort();
    case 'zset':
      return [JSON.stringify(await client.call('ZRANGE', key, '0', '-1', 'WITHSCORES'))];
    case 'list':
      return client.lrange(key, 0, -1);
    case 'stream':
      return [
        JSON.stringify(await client.xrange(key, '-', '+')),
        JSON.stringify(await client.xinfo('GROUPS', key)),
      ];
    default:
      throw new Error(`${key.toString('latin1')} is a ${type}`);
  }
}

async function insist<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries === MAX_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_REST_MS));
    }
  }
}
