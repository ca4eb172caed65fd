/**
 * How a live writer reaches the cluster: as an application does, or on connections of its own, where it can
 * ask whether a replica has got what it just wrote.
 */
import { Cluster, Redis } from 'ioredis';

import type { WriterOptions } from './protocol.ts';

export interface WriterClient {
  /** `key`: any of the command's; all are of one slot. */
  read(key: string, command: readonly string[]): Promise<unknown>;
  /** Resolves when the write counts. */
  write(key: string, command: readonly string[]): Promise<unknown>;
  close(): void;
}

// A server that is held may take its time: a write that was given up must not land after a later one.
const CONNECT_TIMEOUT_MS = 2_000;
const REFRESH_TIMEOUT_MS = 5_000;
const REFRESH_EVERY_MS = 1_000;
const WAIT_TIMEOUT_MS = 300;
// Enough for a window of slots to close; a client gives up at some time, too.
const MAX_TRIES = 30;
const REST_MS = 50;

export function openClient(options: WriterOptions, password: string): WriterClient {
  return options.counts === 'acknowledged'
    ? openApplicationClient(options, password)
    : new ReplicatedClient(options.nodes, password);
}

function openApplicationClient({ nodes }: WriterOptions, password: string): WriterClient {
  const cluster = new Cluster(nodes.map(endpointOf), {
    redisOptions: { password, connectTimeout: CONNECT_TIMEOUT_MS },
    slotsRefreshTimeout: REFRESH_TIMEOUT_MS,
    slotsRefreshInterval: REFRESH_EVERY_MS,
    clusterRetryStrategy: (times) => Math.min(50 * times, 500),
  });
  // Errors of connections; those of commands reach whoever sent them.
  cluster.on('error', () => {});
  const run = (_key: string, [name = '', ...args]: readonly string[]) =>
    cluster.call(name, ...args);
  return { read: run, write: run, close: () => cluster.disconnect() };
}

function endpointOf(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
}

/** Of a write that its master took but of which no replica said in time that it has it. */
class NotReplicated extends Error {
  override readonly name = 'NotReplicated';
}

/** Follows redirections by itself: `WAIT` speaks of the writes of its own connection alone. */
class ReplicatedClient implements WriterClient {
  readonly #addresses: readonly string[];
  readonly #password: string;
  readonly #connections = new Map<string, Redis>();
  /** Where the last command of a hash tag was answered. */
  readonly #homes = new Map<string, string>();
  #next = 0;

  constructor(addresses: readonly string[], password: string) {
    this.#addresses = addresses;
    this.#password = password;
  }

  async read(key: string, command: readonly string[]): Promise<unknown> {
    const [answer] = await this.#follow(key, [command]);
    return answer;
  }

  async write(key: string, command: readonly string[]): Promise<unknown> {
    const wait = ['WAIT', '1', String(WAIT_TIMEOUT_MS)];
    const [answer, replicas] = await this.#follow(key, [command, wait]);
    if (Number(replicas) < 1) throw new NotReplicated('no replica has it');
    return answer;
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.disconnect();
  }

  async #follow(key: string, commands: readonly (readonly string[])[]): Promise<unknown[]> {
    const tag = tagOf(key);
    let address = this.#homes.get(tag) ?? this.#someAddress();
    let isAsking = false;
    let last: unknown;
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      try {
        const answers = await this.#send(address, isAsking ? [['ASKING'], ...commands] : commands);
        if (!isAsking) this.#homes.set(tag, address);
        return isAsking ? answers.slice(1) : answers;
      } catch (error) {
        last = error;
        const [code, , to = ''] = (error as Error).message.split(' ');
        isAsking = code === 'ASK';
        if (code === 'MOVED' || code === 'ASK') {
          address = to;
          continue;
        }
        if (error instanceof NotReplicated) throw error;
        this.#homes.delete(tag);
        address = this.#someAddress();
        await new Promise((resolve) => setTimeout(resolve, REST_MS));
      }
    }
    throw last;
  }

  #someAddress(): string {
    this.#next = (this.#next + 1) % this.#addresses.length;
    return this.#addresses[this.#next] as string;
  }

  /** All in one go, so that nothing gets between a write and its WAIT. The first error is thrown. */
  async #send(address: string, commands: readonly (readonly string[])[]): Promise<unknown[]> {
    const connection = this.#connectionTo(address);
    if (connection.status === 'wait') await connection.connect();
    const answers = commands.map(([name = '', ...args]) => connection.call(name, ...args));
    const settled = await Promise.allSettled(answers);
    return settled.map((each) => {
      if (each.status === 'rejected') throw each.reason;
      return each.value;
    });
  }

  #connectionTo(address: string): Redis {
    const known = this.#connections.get(address);
    if (known !== undefined && known.status !== 'end') return known;
    const connection = new Redis({
      ...endpointOf(address),
      password: this.#password,
      lazyConnect: true,
      connectTimeout: CONNECT_TIMEOUT_MS,
      retryStrategy: null,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
    });
    connection.on('error', () => {});
    this.#connections.set(address, connection);
    return connection;
  }
}

function tagOf(key: string): string {
  return /\{([^}]+)\}/.exec(key)?.[1] ?? key;
}
