/**
 * One connection of a mover to a node: commands go out as bytes, replies come back in order. It never
 * connects again and never sends anything twice: whoever holds it looks at the nodes afresh first.
 *
 * The agent's own connections are ioredis (`redis/node-connection.ts`); why not here:
 * docs/adr/0017-a-link-of-its-own-for-the-mover.md.
 */
import { connect, type Socket } from 'node:net';
import { RedroverError } from '@redrover/core';
import { errorOfReply } from '../../redis/reply-codes.ts';
import { encode } from './resp-command.ts';
import { ReplyFault, RespParser, type Reply } from './resp-parser.ts';

export interface LinkTarget {
  /** Names the node in messages. */
  readonly key: string;
  readonly address: string;
  readonly port: number;
  readonly password: string;
}

export interface Exchange {
  /** Whole commands, sent in one write where the kernel takes it. */
  readonly commands: readonly Buffer[];
  /** Lists of keys are answered as the bytes they came in. */
  readonly isRaw?: boolean;
  /** For the last reply; default 5000. */
  readonly timeoutMs?: number;
  /** For messages: what was attempted, without arguments. */
  readonly what: string;
}

interface Pending {
  readonly exchange: Exchange;
  readonly replies: Reply[];
  readonly resolve: (replies: Reply[]) => void;
  readonly reject: (error: RedroverError) => void;
  readonly timer: NodeJS.Timeout;
}

/** The same host or the next: what takes longer is broken. */
const CONNECT_TIMEOUT_MS = 2_000;
const EXCHANGE_TIMEOUT_MS = 5_000;

export class Link {
  readonly key: string;
  readonly #socket: Socket;
  readonly #parser = new RespParser();
  readonly #pending: Pending[] = [];
  #fault: RedroverError | undefined;

  private constructor(key: string, socket: Socket) {
    this.key = key;
    this.#socket = socket;
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error) => this.#break(`lost its connection (${error.message})`));
    socket.on('close', () => this.#break('closed the connection'));
  }

  /** @throws RedroverError `unavailable`, or `unauthenticated`. */
  static async open({ key, address, port, password }: LinkTarget): Promise<Link> {
    const socket = await dial({ key, address, port });
    const link = new Link(key, socket);
    try {
      const name = encode('CLIENT', 'SETNAME', 'redrover-mover');
      const commands = password === '' ? [name] : [encode('AUTH', password), name];
      // A refused AUTH refuses whatever follows; a refused name harms nobody.
      const [first] = await link.exchange({ commands, what: 'authenticating' });
      if (password !== '' && first instanceof ReplyFault) {
        throw errorOfReply(first.message, `authenticating on ${key}`);
      }
      return link;
    } catch (thrown) {
      link.close();
      throw thrown;
    }
  }

  /** Whether it has not been found broken. */
  get isOpen(): boolean {
    return this.#fault === undefined;
  }

  /**
   * Sends the commands and answers their replies, error replies as values.
   *
   * @throws RedroverError `unavailable` when the connection breaks, `deadline-exceeded` when the answer
   * takes too long: then it is unknown what was done.
   */
  exchange(exchange: Exchange): Promise<Reply[]> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault);
    return new Promise((resolve, reject) => {
      const timeoutMs = exchange.timeoutMs ?? EXCHANGE_TIMEOUT_MS;
      const timer = setTimeout(() => this.#expire(exchange, timeoutMs), timeoutMs);
      this.#pending.push({ exchange, replies: [], resolve, reject, timer });
      // Many small ones as one: the kernel takes a buffer faster than a list of them.
      this.#socket.write(joinCommands(exchange.commands));
    });
  }

  /** One command; an error reply is thrown. */
  async call(what: string, command: Buffer, timeoutMs = EXCHANGE_TIMEOUT_MS): Promise<Reply> {
    const [reply] = await this.exchange({ commands: [command], what, timeoutMs });
    if (reply instanceof ReplyFault) throw errorOfReply(reply.message, `${what} on ${this.key}`);
    return reply ?? null;
  }

  close(): void {
    this.#break('was let go');
  }

  #take(chunk: Buffer): void {
    this.#parser.push(chunk);
    try {
      for (let head = this.#pending[0]; head !== undefined; head = this.#pending[0]) {
        const reply = this.#parser.next(head.exchange.isRaw === true);
        if (reply === undefined) return;
        head.replies.push(reply);
        if (head.replies.length < head.exchange.commands.length) continue;
        this.#pending.shift();
        clearTimeout(head.timer);
        head.resolve(head.replies);
      }
    } catch (thrown) {
      this.#break(`said something that is no Redis protocol (${String(thrown)})`);
    }
  }

  #expire({ what }: Exchange, timeoutMs: number): void {
    const message = `${what} on ${this.key}: no answer in ${timeoutMs} ms`;
    // A late reply must not be taken for the answer to the next command.
    this.#end(new RedroverError('deadline-exceeded', message));
  }

  #break(why: string): void {
    const [head] = this.#pending;
    const what = head === undefined ? '' : `${head.exchange.what}: `;
    this.#end(new RedroverError('unavailable', `${what}${this.key} ${why}`));
  }

  #end(error: RedroverError): void {
    if (this.#fault !== undefined) return;
    this.#fault = error;
    // A reset: what the kernel still holds must not reach the node seconds after it was given up.
    this.#socket.resetAndDestroy();
    for (const { reject, timer } of this.#pending.splice(0)) {
      clearTimeout(timer);
      reject(error);
    }
  }
}

function joinCommands(commands: readonly Buffer[]): Buffer {
  const [first] = commands;
  return commands.length === 1 && first !== undefined ? first : Buffer.concat(commands);
}

function dial({ key, address, port }: Omit<LinkTarget, 'password'>): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, noDelay: true });
    const fail = (why: string): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new RedroverError('unavailable', `connecting to ${key} (${address}:${port}): ${why}`));
    };
    const timer = setTimeout(
      () => fail(`no answer in ${CONNECT_TIMEOUT_MS} ms`),
      CONNECT_TIMEOUT_MS,
    );
    const refuse = (error: Error): void => fail(error.message);
    socket.once('error', refuse);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', refuse);
      resolve(socket);
    });
  });
}
