/**
 * The agent's one connection to a node: made when it is needed, never queued for, never resent.
 *
 * What is sent is the caller's business. An error names the command and the node, never an argument.
 */
import { Redis } from 'ioredis';
import { RedroverError } from '@redrover/core';
import { redisError } from './errors.ts';

export interface NodeEndpoint {
  /** Names the node in messages. */
  readonly key: string;
  readonly address: string;
  readonly port: number;
  readonly password: string;
}

/** A command and its arguments. */
export type RedisCommand = readonly [string, ...(string | number)[]];

export interface CallOptions {
  /** From sending to the last reply; default 3000 ms: everything that is sent here takes microseconds. */
  readonly timeoutMs?: number;
}

const COMMAND_TIMEOUT_MS = 3_000;
/** Same host, or the next: what takes longer is broken. */
const CONNECT_TIMEOUT_MS = 2_000;

export class NodeConnection {
  #endpoint: NodeEndpoint;
  #client: Redis | undefined;
  #connecting: Promise<Redis> | undefined;

  constructor(endpoint: NodeEndpoint) {
    this.#endpoint = endpoint;
  }

  /** From now on the node is reached there: its server was started on another config. */
  reachAt(endpoint: Pick<NodeEndpoint, 'address' | 'password'>): void {
    const { address, password } = endpoint;
    if (address === this.#endpoint.address && password === this.#endpoint.password) return;
    this.#endpoint = { ...this.#endpoint, address, password };
    this.close();
  }

  /** @throws RedroverError with the reply's code mapped, `unavailable`, or `deadline-exceeded`. */
  async call(command: RedisCommand, options: CallOptions = {}): Promise<unknown> {
    const [reply] = await this.pipeline([command], options);
    if (reply instanceof RedroverError) throw reply;
    return reply;
  }

  /** Like `call`, for replies that are text. */
  async text(command: RedisCommand, options: CallOptions = {}): Promise<string> {
    return String(await this.call(command, options));
  }

  /**
   * Sends all commands in one write. An error reply is an element of the result, in its place; only
   * what concerns all of them (no connection, no answer in time) is thrown.
   */
  async pipeline(commands: readonly RedisCommand[], options: CallOptions = {}): Promise<unknown[]> {
    const timeoutMs = options.timeoutMs ?? COMMAND_TIMEOUT_MS;
    const replies = await this.#withTimeout(this.#send(commands), timeoutMs, commands);
    return replies.map(([error, reply], index) =>
      error === null ? reply : redisError(error, this.#describe(commands[index])),
    );
  }

  /** Ends the connection at once; a later call makes a new one. */
  close(): void {
    this.#client?.disconnect();
    this.#client = undefined;
    this.#connecting = undefined;
  }

  async #send(commands: readonly RedisCommand[]): Promise<[Error | null, unknown][]> {
    const batch = (await this.#connected()).pipeline();
    for (const [name, ...args] of commands) batch.call(name, ...args.map(String));
    return (await batch.exec()) ?? [];
  }

  async #connected(): Promise<Redis> {
    if (this.#client?.status === 'ready') return this.#client;
    if (this.#connecting === undefined) {
      const connecting = this.#connect().finally(() => {
        if (this.#connecting === connecting) this.#connecting = undefined;
      });
      this.#connecting = connecting;
    }
    return this.#connecting;
  }

  async #connect(): Promise<Redis> {
    this.#client?.disconnect();
    const client = new Redis(this.#options());
    // Known at once, so that `close` also ends a connection whose server accepts and says nothing.
    this.#client = client;
    // Each failure reaches the call that meets it; without a listener ioredis prints it as well.
    client.on('error', () => {});
    try {
      await client.connect();
      return client;
    } catch (thrown) {
      client.disconnect();
      throw redisError(thrown, `connecting to ${this.#endpoint.key}`);
    }
  }

  #options() {
    const { address, port, password } = this.#endpoint;
    return {
      host: address,
      port,
      password,
      connectionName: 'redrover-agent',
      // HELLO and CLIENT SETINFO are unknown to Redis 5.
      protocol: 2 as const,
      disableClientInfo: true,
      lazyConnect: true,
      // INFO is answered while a dataset is being loaded.
      enableReadyCheck: false,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      // The next call connects again; nothing knocks at a dead node in the background.
      retryStrategy: null,
      connectTimeout: CONNECT_TIMEOUT_MS,
    };
  }

  async #withTimeout<T>(
    reply: Promise<T>,
    timeoutMs: number,
    commands: readonly RedisCommand[],
  ): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const [first] = commands;
        const what = this.#describe(first);
        reject(new RedroverError('deadline-exceeded', `${what}: no answer in ${timeoutMs} ms`));
        // A late reply must not be taken for the answer to the next command.
        this.close();
      }, timeoutMs);
    });
    try {
      return await Promise.race([reply, late]);
    } catch (thrown) {
      throw redisError(thrown, this.#describe(commands[0]));
    } finally {
      clearTimeout(timer);
      reply.catch(() => {});
    }
  }

  #describe(command: RedisCommand | undefined): string {
    const words = command?.slice(0, command[0].toUpperCase() === 'CLUSTER' ? 2 : 1) ?? [];
    return `${words.join(' ')} on ${this.#endpoint.key}`;
  }
}
