/**
 * The sorts of writes of a live writer, each with what it expects to find of them later. A lane does one
 * command at a time; what was not acknowledged is tried again before anything else is written to the key,
 * so that no late write of an old value is taken for a loss.
 */
import type { WriterClient } from './clients.ts';

export interface Expectation {
  readonly key: string;
  readonly expected: string;
  /** What is wrong with it, as it was found; undefined if it is as it should be. */
  readonly check: (client: WriterClient) => Promise<string | undefined>;
}

export interface Lane {
  readonly name: string;
  /** One write, with its name for error reports. `acknowledge` is called once it counts. */
  next(): Write;
  /** Of something acknowledged, chosen at random; undefined while there is nothing. */
  sample(): Expectation | undefined;
  /** Of everything acknowledged. */
  all(): Iterable<Expectation>;
}

export interface Write {
  readonly key: string;
  readonly command: readonly string[];
  readonly acknowledge: () => void;
}

const REGISTERS = 300;
const PAIRS = 150;
const HASHES = 40;
const LONG_TTL_S = 7_200;
const SHORT_TTL_MS = 3_000;
// A client's clock and the server's lazy expiry; the end of a campaign waits for longer anyway.
const EXPIRY_GRACE_MS = 2_000;
// No two clocks are asked here, but a restart of a server does not take the time off a TTL.
const TTL_TOLERANCE_S = 30;
const SIZES = [20, 20, 100, 100, 100, 1_000, 1_000, 8_000, 60_000];

export function createLanes(prefix: string): Lane[] {
  return [
    new UniqueLane(`${prefix}:u1`),
    new UniqueLane(`${prefix}:u2`),
    new RegisterLane(`${prefix}:r`),
    new PairLane(`${prefix}:p`),
    new HashLane(`${prefix}:h`),
    new DeletedLane(`${prefix}:d`),
    new LongTtlLane(`${prefix}:l`),
    new ShortTtlLane(`${prefix}:s`),
  ];
}

/** A key of its own for each write: no later write hides a lost one. */
class UniqueLane implements Lane {
  readonly name = 'unique';
  readonly #prefix: string;
  readonly #sizes: number[] = [];
  #count = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  next(): Write {
    const index = this.#count;
    this.#count += 1;
    const size = SIZES[Math.floor(Math.random() * SIZES.length)] ?? 20;
    const key = `${this.#prefix}:{${index}}`;
    return {
      key,
      command: ['SET', key, textOf(key, size)],
      acknowledge: () => void (this.#sizes[index] = size),
    };
  }

  sample(): Expectation | undefined {
    const index = randomIndex(this.#sizes.length);
    return this.#sizes[index] === undefined ? undefined : this.#expect(index);
  }

  *all(): Iterable<Expectation> {
    for (const [index, size] of this.#sizes.entries()) {
      if (size !== undefined) yield this.#expect(index);
    }
  }

  #expect(index: number): Expectation {
    const key = `${this.#prefix}:{${index}}`;
    const expected = textOf(key, this.#sizes[index] ?? 0);
    return {
      key,
      expected: `${expected.length} bytes`,
      check: async (client) => {
        const found = await client.read(key, ['GET', key]);
        return found === expected ? undefined : shorten(found);
      },
    };
  }
}

/** A fixed set of keys, overwritten with versions that only grow. */
class RegisterLane implements Lane {
  readonly name = 'register';
  readonly #prefix: string;
  readonly #versions = Array.from({ length: REGISTERS }, () => 0);
  #count = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  next(): Write {
    const index = this.#count % REGISTERS;
    this.#count += 1;
    const version = (this.#versions[index] ?? 0) + 1;
    const key = this.#key(index);
    return {
      key,
      command: ['SET', key, `${version}:${'x'.repeat(index * 4)}`],
      acknowledge: () => void (this.#versions[index] = version),
    };
  }

  sample(): Expectation | undefined {
    return this.#expect(randomIndex(REGISTERS));
  }

  *all(): Iterable<Expectation> {
    for (const index of this.#versions.keys()) {
      const expected = this.#expect(index);
      if (expected !== undefined) yield expected;
    }
  }

  #expect(index: number): Expectation | undefined {
    const version = this.#versions[index] ?? 0;
    if (version === 0) return undefined;
    const key = this.#key(index);
    return {
      key,
      expected: `version ${version} or later`,
      check: async (client) => {
        const found = await client.read(key, ['GET', key]);
        return Number.parseInt(String(found), 10) >= version ? undefined : shorten(found);
      },
    };
  }

  #key(index: number): string {
    return `${this.#prefix}:{${index}}`;
  }
}

/** Two keys of one hash tag, written and read by one command: never one without the other. */
class PairLane implements Lane {
  readonly name = 'pair';
  readonly #prefix: string;
  readonly #versions = Array.from({ length: PAIRS }, () => 0);
  #count = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  next(): Write {
    const index = this.#count % PAIRS;
    this.#count += 1;
    const version = (this.#versions[index] ?? 0) + 1;
    const [a, b] = this.#keys(index);
    return {
      key: a,
      command: ['MSET', a, `${version}`, b, `${version}`],
      acknowledge: () => void (this.#versions[index] = version),
    };
  }

  sample(): Expectation | undefined {
    return this.#expect(randomIndex(PAIRS));
  }

  *all(): Iterable<Expectation> {
    for (const index of this.#versions.keys()) {
      const expected = this.#expect(index);
      if (expected !== undefined) yield expected;
    }
  }

  #expect(index: number): Expectation | undefined {
    const version = this.#versions[index] ?? 0;
    if (version === 0) return undefined;
    const [a, b] = this.#keys(index);
    return {
      key: a,
      expected: `two of the same version, ${version} or later`,
      check: async (client) => {
        const found = await client.read(a, ['MGET', a, b]);
        const [first, second] = found as (string | null)[];
        return first === second && Number(first) >= version ? undefined : shorten(found);
      },
    };
  }

  #keys(index: number): [string, string] {
    const stem = `${this.#prefix}:{${index}}`;
    return [`${stem}:a`, `${stem}:b`];
  }
}

/** Keys that grow, field by field. */
class HashLane implements Lane {
  readonly name = 'hash';
  readonly #prefix: string;
  readonly #fields = Array.from({ length: HASHES }, () => 0);
  #count = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  next(): Write {
    const index = this.#count % HASHES;
    this.#count += 1;
    const field = this.#fields[index] ?? 0;
    const key = this.#key(index);
    return {
      key,
      command: ['HSET', key, `f${field}`, `${field}`],
      acknowledge: () => void (this.#fields[index] = field + 1),
    };
  }

  sample(): Expectation | undefined {
    return this.#expect(randomIndex(HASHES));
  }

  *all(): Iterable<Expectation> {
    for (const index of this.#fields.keys()) {
      const expected = this.#expect(index);
      if (expected !== undefined) yield expected;
    }
  }

  #expect(index: number): Expectation | undefined {
    const count = this.#fields[index] ?? 0;
    if (count === 0) return undefined;
    const key = this.#key(index);
    const fields = Array.from({ length: count }, (_, field) => field);
    return {
      key,
      expected: `fields 0 to ${count - 1}`,
      check: async (client) => {
        const names = fields.map((field) => `f${field}`);
        const found = (await client.read(key, ['HMGET', key, ...names])) as (string | null)[];
        const missing = fields.filter((field) => found[field] !== `${field}`);
        return missing.length === 0 ? undefined : `without ${missing.slice(0, 5).join(' ')}`;
      },
    };
  }

  #key(index: number): string {
    return `${this.#prefix}:{${index}}`;
  }
}

/** Written, then deleted: a stale copy on another node must not bring it back. */
class DeletedLane implements Lane {
  readonly name = 'deleted';
  readonly #prefix: string;
  #written = 0;
  #deleted = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** A few dozen are always there, so that there are some to be moved before they are deleted. */
  next(): Write {
    const isAhead = this.#written > this.#deleted + 60;
    const index = isAhead ? this.#deleted : this.#written;
    const key = `${this.#prefix}:{${index}}`;
    return {
      key,
      command: isAhead ? ['DEL', key] : ['SET', key, 'to be deleted'],
      acknowledge: () => {
        if (isAhead) this.#deleted += 1;
        else this.#written += 1;
      },
    };
  }

  sample(): Expectation | undefined {
    return this.#deleted === 0 ? undefined : this.#expect(randomIndex(this.#deleted));
  }

  *all(): Iterable<Expectation> {
    for (let index = 0; index < this.#deleted; index += 1) yield this.#expect(index);
  }

  #expect(index: number): Expectation {
    return expectGone(`${this.#prefix}:{${index}}`, 'deleted');
  }
}

class LongTtlLane implements Lane {
  readonly name = 'ttl';
  readonly #prefix: string;
  readonly #setAtMs: number[] = [];
  #count = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  next(): Write {
    const index = this.#count;
    this.#count += 1;
    const key = `${this.#prefix}:{${index}}`;
    return {
      key,
      command: ['SET', key, 'for two hours', 'EX', String(LONG_TTL_S)],
      acknowledge: () => void (this.#setAtMs[index] = Date.now()),
    };
  }

  sample(): Expectation | undefined {
    const index = randomIndex(this.#setAtMs.length);
    return this.#setAtMs[index] === undefined ? undefined : this.#expect(index);
  }

  *all(): Iterable<Expectation> {
    for (const [index, atMs] of this.#setAtMs.entries()) {
      if (atMs !== undefined) yield this.#expect(index);
    }
  }

  #expect(index: number): Expectation {
    const key = `${this.#prefix}:{${index}}`;
    return {
      key,
      expected: 'its time to live',
      check: async (client) => {
        const found = Number(await client.read(key, ['TTL', key]));
        const passedS = (Date.now() - (this.#setAtMs[index] ?? 0)) / 1_000;
        const isRight = Math.abs(LONG_TTL_S - passedS - found) < TTL_TOLERANCE_S;
        return isRight ? undefined : `TTL ${found} after ${Math.round(passedS)} s`;
      },
    };
  }
}

/** Gone soon: wherever it is by then. */
class ShortTtlLane implements Lane {
  readonly name = 'expired';
  readonly #prefix: string;
  readonly #goneAtMs: number[] = [];
  #count = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  next(): Write {
    const index = this.#count;
    this.#count += 1;
    const key = `${this.#prefix}:{${index}}`;
    return {
      key,
      command: ['SET', key, 'for a moment', 'PX', String(SHORT_TTL_MS)],
      acknowledge: () => void (this.#goneAtMs[index] = Date.now() + SHORT_TTL_MS),
    };
  }

  sample(): Expectation | undefined {
    const index = randomIndex(this.#goneAtMs.length);
    return this.#isGone(index) ? this.#expect(index) : undefined;
  }

  *all(): Iterable<Expectation> {
    for (const index of this.#goneAtMs.keys()) if (this.#isGone(index)) yield this.#expect(index);
  }

  #isGone(index: number): boolean {
    const goneAtMs = this.#goneAtMs[index];
    return goneAtMs !== undefined && goneAtMs + EXPIRY_GRACE_MS < Date.now();
  }

  #expect(index: number): Expectation {
    return expectGone(`${this.#prefix}:{${index}}`, 'expired');
  }
}

function expectGone(key: string, expected: string): Expectation {
  return {
    key,
    expected,
    check: async (client) => {
      const found = await client.read(key, ['GET', key]);
      return found === null ? undefined : shorten(found);
    },
  };
}

/** Different for each key, and no two pieces of it alike. */
function textOf(key: string, bytes: number): string {
  const piece = `${key}|`;
  return piece.repeat(Math.ceil(bytes / piece.length)).slice(0, Math.max(bytes, piece.length));
}

function shorten(found: unknown): string {
  return found === null ? 'nothing' : JSON.stringify(found).slice(0, 80);
}

function randomIndex(length: number): number {
  return Math.floor(Math.random() * length);
}
