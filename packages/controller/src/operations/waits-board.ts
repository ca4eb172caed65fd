/** What an operation waits for now, told to those who watch at a pace that people can read. */
import { performance } from 'node:perf_hooks';

import type { Waiting } from '@redrover/core';

import type { OperationFeed } from './operation-feed.ts';

/** Gossip changes what is waited for many times a second. */
const INTERVAL_MS = 250;

export class WaitsBoard {
  readonly #feed: OperationFeed;
  #now: readonly Waiting[] = [];
  #shown: readonly Waiting[] = [];
  #shownTick = 0;

  constructor(feed: OperationFeed) {
    this.#feed = feed;
  }

  get now(): readonly Waiting[] {
    return this.#now;
  }

  /** Shown at once when it has been a while, or when nothing is waited for any more. */
  show(waits: readonly Waiting[]): void {
    this.#now = waits;
    const tick = performance.now();
    const isEarly = tick - this.#shownTick < INTERVAL_MS && waits.length > 0;
    if (isEarly || sameWaits(waits, this.#shown)) return;
    this.#shown = waits;
    this.#shownTick = tick;
    this.#feed.publish({ kind: 'waits', waits });
  }
}

function sameWaits(a: readonly Waiting[], b: readonly Waiting[]): boolean {
  return (
    a.length === b.length &&
    a.every((wait, at) => wait.subject === b[at]?.subject && wait.reason === b[at]?.reason)
  );
}
