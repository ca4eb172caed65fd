/**
 * Takes RESP 2 replies apart (Redis documentation, "RESP protocol"). The one thing that a general
 * client does not offer: a list of keys can be had as the bytes it came in. They are, byte for byte, the
 * tail of a command with these arguments, so key names pass through a mover without becoming values.
 */

/** An error reply: expected in a pipeline, so a value. */
export class ReplyFault {
  /** First word of the message: `ERR`, `IOERR`, `BUSYKEY`, … */
  readonly code: string;
  readonly message: string;

  constructor(message: string) {
    this.message = message;
    this.code = message.split(' ', 1)[0] ?? '';
  }
}

/** A list of bulk strings as it came: `$3\r\nabc\r\n…`. */
export class RawList {
  readonly count: number;
  readonly bytes: Buffer;

  constructor(count: number, bytes: Buffer) {
    this.count = count;
    this.bytes = bytes;
  }
}

export type Reply = string | number | null | Buffer | ReplyFault | RawList | readonly Reply[];

/** A reply that is one text or number; empty for anything else. */
export function replyText(reply: Reply | undefined): string {
  if (Buffer.isBuffer(reply)) return reply.toString();
  return typeof reply === 'string' || typeof reply === 'number' ? `${reply}` : '';
}

/** What came is no RESP: the connection is of no use any more. */
export class ProtocolFault extends Error {}

const CR = 0x0d;
const PLUS = 0x2b;
const MINUS = 0x2d;
const COLON = 0x3a;
const DOLLAR = 0x24;
const STAR = 0x2a;

/** `parse` got to the end of what has come; no reply is this value. */
const INCOMPLETE = Symbol('incomplete');

export class RespParser {
  #arrived: Buffer[] = [];
  #arrivedLength = 0;
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;
  /** Bytes from `#at` on before which another try would find nothing new. */
  #needed = 1;
  /** Where a bulk string ends that has begun to come. */
  #end = 0;
  #isRaw = false;

  push(chunk: Buffer): void {
    this.#arrived.push(chunk);
    this.#arrivedLength += chunk.length;
  }

  /**
   * The next whole reply; undefined if it has not come yet. `isRaw`: lists of bulk strings in it are
   * answered as `RawList`.
   *
   * @throws ProtocolFault
   */
  next(isRaw: boolean): Reply | undefined {
    if (this.#buffer.length - this.#at + this.#arrivedLength < this.#needed) return undefined;
    this.#join();
    const start = this.#at;
    this.#isRaw = isRaw;
    const reply = this.#parse();
    if (reply !== INCOMPLETE) {
      this.#needed = 1;
      return reply;
    }
    this.#needed = Math.max(this.#end, this.#buffer.length + 1) - start;
    this.#end = 0;
    this.#at = start;
    return undefined;
  }

  #join(): void {
    if (this.#arrived.length === 0) return;
    const rest = this.#buffer.subarray(this.#at);
    this.#buffer = Buffer.concat(rest.length === 0 ? this.#arrived : [rest, ...this.#arrived]);
    this.#arrived = [];
    this.#arrivedLength = 0;
    this.#at = 0;
  }

  #parse(): Reply | typeof INCOMPLETE {
    const type = this.#buffer[this.#at];
    switch (type) {
      case PLUS:
        return this.#line() ?? INCOMPLETE;
      case MINUS: {
        const text = this.#line();
        return text === undefined ? INCOMPLETE : new ReplyFault(text);
      }
      case COLON:
        return this.#number() ?? INCOMPLETE;
      case DOLLAR:
        return this.#bulk();
      case STAR:
        return this.#list();
      case undefined:
        return INCOMPLETE;
      default:
        throw new ProtocolFault(`a reply begins with byte ${type}`);
    }
  }

  #list(): Reply | typeof INCOMPLETE {
    const count = this.#number();
    if (count === undefined) return INCOMPLETE;
    if (count < 0) return null;
    if (this.#isRaw && (count === 0 || this.#buffer[this.#at] === DOLLAR)) {
      return this.#rawList(count);
    }
    const list: Reply[] = [];
    for (let index = 0; index < count; index += 1) {
      const reply = this.#parse();
      if (reply === INCOMPLETE) return INCOMPLETE;
      list.push(reply);
    }
    return list;
  }

  #rawList(count: number): RawList | typeof INCOMPLETE {
    const start = this.#at;
    for (let index = 0; index < count; index += 1) {
      if (this.#at >= this.#buffer.length) return INCOMPLETE;
      if (this.#buffer[this.#at] !== DOLLAR) throw new ProtocolFault('a list of keys has no keys');
      if (this.#skipBulk() === undefined) return INCOMPLETE;
    }
    // A copy: a few names must not keep a large buffer alive.
    return new RawList(count, Buffer.from(this.#buffer.subarray(start, this.#at)));
  }

  #bulk(): Buffer | null | typeof INCOMPLETE {
    const length = this.#skipBulk();
    if (length === undefined) return INCOMPLETE;
    if (length < 0) return null;
    const end = this.#at - 2;
    return Buffer.from(this.#buffer.subarray(end - length, end));
  }

  /** Steps over a bulk string and answers its length; undefined if it has not come as a whole. */
  #skipBulk(): number | undefined {
    const length = this.#number();
    if (length === undefined || length < 0) return length;
    const end = this.#at + length + 2;
    if (end > this.#buffer.length) {
      this.#end = end;
      return undefined;
    }
    this.#at = end;
    return length;
  }

  /** The number behind the type's byte; undefined if the line has not come as a whole. */
  #number(): number | undefined {
    let at = this.#at + 1;
    const isNegative = this.#buffer[at] === 0x2d;
    if (isNegative) at += 1;
    let value = 0;
    for (; at < this.#buffer.length; at += 1) {
      const byte = this.#buffer[at]!;
      if (byte === CR) {
        if (at + 1 >= this.#buffer.length) return undefined;
        this.#at = at + 2;
        return isNegative ? -value : value;
      }
      value = value * 10 + byte - 0x30;
    }
    return undefined;
  }

  #line(): string | undefined {
    const end = this.#buffer.indexOf(CR, this.#at);
    if (end === -1 || end + 1 >= this.#buffer.length) return undefined;
    const text = this.#buffer.toString('utf8', this.#at + 1, end);
    this.#at = end + 2;
    return text;
  }
}
