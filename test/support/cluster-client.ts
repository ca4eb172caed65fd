/** A cluster client of another make (ioredis), for the writes and reads of tests. */
import { Cluster } from 'ioredis';

import type { WitnessInput } from './witness.ts';

/** To be ended by the caller with `disconnect()`. */
export function connectCluster({ address, port, password }: WitnessInput): Cluster {
  return new Cluster([{ host: address, port }], {
    redisOptions: { password, connectTimeout: 5_000 },
    slotsRefreshTimeout: 5_000,
    clusterRetryStrategy: (times) => Math.min(100 * times, 1_000),
  });
}

/** Writes keys over all slots; resolves when each was acknowledged. */
export async function writeKeys(client: Cluster, prefix: string, count: number): Promise<void> {
  const keys = Array.from({ length: count }, (_, index) => `${prefix}:${index}`);
  await Promise.all(keys.map((key) => client.set(key, key)));
}

/** How many of the keys hold what `writeKeys` wrote. */
export async function countKeys(client: Cluster, prefix: string, count: number): Promise<number> {
  const keys = Array.from({ length: count }, (_, index) => `${prefix}:${index}`);
  const values = await Promise.all(keys.map((key) => client.get(key)));
  return values.filter((value, index) => value === keys[index]).length;
}
