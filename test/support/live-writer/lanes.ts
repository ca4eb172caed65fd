/**
 * The sorts of writes of a live writer. A lane does one command at a time; what was not acknowledged is tried again
 * before anything else is written to the key, so that no late write of an old value is taken for a loss.
 */
import {
  KeyLane,
  randomIndex,
  shorten,
  type Expectation,
  type KeySort,
  type Lane,
  type Write,
} from './lane.ts';

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
    new KeyLane(`${prefix}:u1`, UNIQUE),
    new KeyLane(`${prefix}:u2`, UNIQUE),
    new KeyLane(`${prefix}:r`, REGISTER),
    new KeyLane(`${prefix}:p`, PAIR),
    new KeyLane(`${prefix}:h`, HASH),
    new DeletedLane(`${prefix}:d`),
    new KeyLane(`${prefix}:l`, LONG_TTL),
    new KeyLane(`${prefix}:s`, SHORT_TTL),
  ];
}

/** A key of its own for each write: no later write hides a lost one. Remembered is the size. */
const UNIQUE: KeySort<number> = {
  name: 'unique',
  write: (key) => {
    const size = SIZES[randomIndex(SIZES.length)] ?? 20;
    return { key, command: ['SET', key, textOf(key, size)], state: () => size };
  },
  expect: (key, _, size) => {
    const expected = textOf(key, size);
    return {
      key,
      expected: `${expected.length} bytes`,
      check: async (client) => {
        const found = await client.read(key, ['GET', key]);
        return found === expected ? undefined : shorten(found);
      },
    };
  },
};

/** A fixed set of keys, overwritten with versions that only grow. */
const REGISTER: KeySort<number> = {
  name: 'register',
  keyCount: REGISTERS,
  write: (key, index, last = 0) => {
    const version = last + 1;
    const value = `${version}:${'x'.repeat(index * 4)}`;
    return { key, command: ['SET', key, value], state: () => version };
  },
  expect: (key, _, version) => ({
    key,
    expected: `version ${version} or later`,
    check: async (client) => {
      const found = await client.read(key, ['GET', key]);
      return Number.parseInt(String(found), 10) >= version ? undefined : shorten(found);
    },
  }),
};

/** Two keys of one hash tag, written and read by one command: never one without the other. */
const PAIR: KeySort<number> = {
  name: 'pair',
  keyCount: PAIRS,
  write: (tag, _, last = 0) => {
    const version = last + 1;
    const [a, b] = [`${tag}:a`, `${tag}:b`];
    return { key: a, command: ['MSET', a, `${version}`, b, `${version}`], state: () => version };
  },
  expect: (tag, _, version) => {
    const [a, b] = [`${tag}:a`, `${tag}:b`];
    return {
      key: a,
      expected: `two of the same version, ${version} or later`,
      check: async (client) => {
        const found = await client.read(a, ['MGET', a, b]);
        const [first, second] = found as (string | null)[];
        return first === second && Number(first) >= version ? undefined : shorten(found);
      },
    };
  },
};

/** Keys that grow, field by field. Remembered is how many there are. */
const HASH: KeySort<number> = {
  name: 'hash',
  keyCount: HASHES,
  write: (key, _, count = 0) => {
    return { key, command: ['HSET', key, `f${count}`, `${count}`], state: () => count + 1 };
  },
  expect: (key, _, count) => {
    const fields = Array.from({ length: count }, (_field, field) => field);
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
  },
};

/** Remembered is when it was set. */
const LONG_TTL: KeySort<number> = {
  name: 'ttl',
  write: (key) => {
    const command = ['SET', key, 'for two hours', 'EX', String(LONG_TTL_S)];
    return { key, command, state: () => Date.now() };
  },
  expect: (key, _, setAtMs) => ({
    key,
    expected: 'its time to live',
    check: async (client) => {
      const found = Number(await client.read(key, ['TTL', key]));
      const passedS = (Date.now() - setAtMs) / 1_000;
      const isRight = Math.abs(LONG_TTL_S - passedS - found) < TTL_TOLERANCE_S;
      return isRight ? undefined : `TTL ${found} after ${Math.round(passedS)} s`;
    },
  }),
};

/** Gone soon: wherever it is by then. Remembered is when. */
const SHORT_TTL: KeySort<number> = {
  name: 'expired',
  write: (key) => {
    const command = ['SET', key, 'for a moment', 'PX', String(SHORT_TTL_MS)];
    return { key, command, state: () => Date.now() + SHORT_TTL_MS };
  },
  expect: (key, _, goneAtMs) => {
    return goneAtMs + EXPIRY_GRACE_MS < Date.now() ? expectGone(key, 'expired') : undefined;
  },
};

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
