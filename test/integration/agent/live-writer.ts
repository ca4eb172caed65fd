/**
 * A client that writes all the time and remembers what was acknowledged, so that afterwards it can be
 * asked which of it is gone.
 */
import { Cluster } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';

import type { WitnessInput } from '../../support/witness.ts';

/** Enough that some write is on its way at every instant. */
const WRITERS = 16;
/** A client that hammers a refusing cluster would only fill the log. */
const PAUSE_AFTER_ERROR_MS = 10;
/** Reads back in groups, so that no queue grows without limit. */
const READ_GROUP = 500;

export class LiveWriter {
  readonly #client: Cluster;
  readonly #acknowledged = new Map<string, string>();
  readonly #writers: Promise<void>[] = [];
  /** When a write was acknowledged last, by the monotonic clock. */
  #lastTick = performance.now();
  #longestGapMs = 0;
  readonly #ending = new AbortController();

  constructor({ address, port, password }: WitnessInput) {
    this.#client = new Cluster([{ host: address, port }], {
      redisOptions: { password, commandTimeout: 10_000 },
      slotsRefreshTimeout: 5_000,
      maxRedirections: 64,
    });
    this.#client.on('error', () => {});
    for (let id = 0; id < WRITERS; id += 1) this.#writers.push(this.#write(id));
  }

  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  /** Longest time without any acknowledged write. */
  get longestGapMs(): number {
    return Math.round(this.#longestGapMs);
  }

  /** Ends writing; answers the acknowledged keys that the cluster does not return as they were written. */
  async lost(): Promise<string[]> {
    this.#ending.abort();
    await Promise.all(this.#writers);
    const entries = [...this.#acknowledged];
    const lost: string[] = [];
    for (let start = 0; start < entries.length; start += READ_GROUP) {
      const group = entries.slice(start, start + READ_GROUP);
      const values = await Promise.all(group.map(([key]) => this.#client.get(key)));
      for (const [index, [key, value]] of group.entries()) {
        if (values[index] !== value) lost.push(key);
      }
    }
    return lost;
  }

  disconnect(): void {
    this.#ending.abort();
    this.#client.disconnect();
  }

  async #write(id: number): Promise<void> {
    for (let number = 0; !this.#ending.signal.aborted; number += 1) {
      const key = `w:${id}:${number}`;
      try {
        await this.#client.set(key, `${number}`);
        this.#acknowledged.set(key, `${number}`);
        this.#noteAcknowledged();
      } catch {
        // Not acknowledged, so nothing is promised of it.
        await delay(PAUSE_AFTER_ERROR_MS);
      }
    }
  }

  #noteAcknowledged(): void {
    const tick = performance.now();
    this.#longestGapMs = Math.max(this.#longestGapMs, tick - this.#lastTick);
    this.#lastTick = tick;
  }
}
