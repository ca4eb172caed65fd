/** What a live writer writes: lanes of writes of one sort, each with what it expects to find of them later. */
import type { WriterClient } from './clients.ts';

export interface Expectation {
  readonly key: string;
  readonly expected: string;
  /** What is wrong with it, as it was found; undefined if it is as it should be. */
  readonly check: (client: WriterClient) => Promise<string | undefined>;
}

export interface Write {
  readonly key: string;
  readonly command: readonly string[];
  readonly acknowledge: () => void;
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

/** What a lane of numbered keys writes, and what it reads back. `State` is what is remembered of a key. */
export interface KeySort<State> {
  readonly name: string;
  /** Keys that are written again and again, in turn; undefined: a new one each time. */
  readonly keyCount?: number;
  /** @param last as it was acknowledged last. */
  readonly write: (
    tag: string,
    index: number,
    last: State | undefined,
  ) => {
    readonly key: string;
    readonly command: readonly string[];
    /** To be remembered from the moment of its acknowledgement. */
    readonly state: () => State;
  };
  /** Undefined while nothing can be expected of it. */
  readonly expect: (tag: string, index: number, state: State) => Expectation | undefined;
}

export class KeyLane<State> implements Lane {
  readonly name: string;
  readonly #prefix: string;
  readonly #sort: KeySort<State>;
  readonly #states: (State | undefined)[] = [];
  #count = 0;

  constructor(prefix: string, sort: KeySort<State>) {
    this.name = sort.name;
    this.#prefix = prefix;
    this.#sort = sort;
  }

  next(): Write {
    const { keyCount, write } = this.#sort;
    const index = keyCount === undefined ? this.#count : this.#count % keyCount;
    this.#count += 1;
    const { key, command, state } = write(this.#tagOf(index), index, this.#states[index]);
    return { key, command, acknowledge: () => void (this.#states[index] = state()) };
  }

  sample(): Expectation | undefined {
    return this.#expect(randomIndex(this.#states.length));
  }

  *all(): Iterable<Expectation> {
    for (const index of this.#states.keys()) {
      const expected = this.#expect(index);
      if (expected !== undefined) yield expected;
    }
  }

  #expect(index: number): Expectation | undefined {
    const state = this.#states[index];
    return state === undefined ? undefined : this.#sort.expect(this.#tagOf(index), index, state);
  }

  /** In braces: what belongs to it is of one slot. */
  #tagOf(index: number): string {
    return `${this.#prefix}:{${index}}`;
  }
}

export function randomIndex(length: number): number {
  return Math.floor(Math.random() * length);
}

/** What was found where it should not be. */
export function shorten(found: unknown): string {
  return found === null ? 'nothing' : JSON.stringify(found).slice(0, 80);
}
