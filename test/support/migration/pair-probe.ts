/**
 * Writes and reads pairs of keys of one hash tag, asking each master directly and following no redirection:
 * what answers a client has to cope with.
 */
import { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';

import type { MoveCluster } from './move-cluster.ts';
import { roleOf } from './victims.ts';

export interface PairProbe {
  /** By first word of the error, or `ok`. */
  stop(): Promise<ReadonlyMap<string, number>>;
}

const TAGS = 400;
// The machine is also that of the servers and the mover.
const PAUSE_MS = 3;

export async function startPairProbe(cluster: MoveCluster): Promise<PairProbe> {
  const roles = await Promise.all(cluster.nodes.map((node) => roleOf(cluster, node)));
  const masters = cluster.nodes.filter((_, index) => roles[index] === 'master');
  const { password } = cluster;
  const clients = masters.map(
    ({ host, port }) => new Redis({ host, port, password, retryStrategy: null }),
  );
  // Whoever sent a command is told.
  for (const client of clients) client.on('error', () => {});
  const answers = new Map<string, number>();
  const stopping = new AbortController();
  const count = (kind: string): void => void answers.set(kind, (answers.get(kind) ?? 0) + 1);
  const ask = async (client: Redis): Promise<void> => {
    for (let turn = 0; !stopping.signal.aborted; turn += 1) {
      const [a, b] = ['a', 'b'].map((name) => `probe:{${turn % TAGS}}:${name}`) as [string, string];
      const asked = turn % 2 === 0 ? client.mset(a, turn, b, turn) : client.mget(a, b);
      await asked.then(
        () => count('ok'),
        (error: Error) => count(error.message.split(' ')[0] ?? error.name),
      );
      await delay(PAUSE_MS);
    }
  };
  const work = Promise.all(clients.map(ask));
  return {
    stop: async () => {
      stopping.abort();
      await work;
      for (const client of clients) client.disconnect();
      return answers;
    },
  };
}
