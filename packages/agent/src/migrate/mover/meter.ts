/** What a mover has done so far, as numbers: for progress, rates and the report. */
import type { MoveEngine, MoveProgress, MoveReport, QuarantinedSlot } from '@redrover/core';

/** Rates are those of the last seconds, not of the whole task. */
const RATE_WINDOW_MS = 5_000;

interface Sample {
  readonly tick: number;
  readonly keys: number;
  readonly bytes: number;
}

export class Meter {
  /** Slots that are where they shall be, or that are left to a person. */
  slotsDone = 0;
  /** Slots that this task brought to the target. */
  slotsMoved = 0;
  keys = 0;
  bytes = 0;
  blockedMs = 0;
  keysTotal = 0;
  /** What it waits for; empty: for nothing. */
  state = '';
  /** Why it is slower than it could be; empty: it is not. */
  pace = '';
  heldBackMs = 0;
  readonly quarantined: QuarantinedSlot[] = [];
  readonly notes: string[] = [];
  #samples: Sample[] = [{ tick: performance.now(), keys: 0, bytes: 0 }];
  #blocks: { tick: number; ms: number }[] = [];

  moved(keys: number, bytes: number): void {
    this.keys += keys;
    this.bytes += bytes;
  }

  blocked(ms: number): void {
    this.blockedMs = Math.max(this.blockedMs, ms);
    this.#blocks.push({ tick: performance.now(), ms });
  }

  note(text: string): void {
    if (!this.notes.includes(text)) this.notes.push(text);
  }

  progress(task: {
    readonly source: string;
    readonly target: string;
    readonly engine: MoveEngine;
    readonly slotsTotal: number;
  }): MoveProgress {
    const now = performance.now();
    this.#samples.push({ tick: now, keys: this.keys, bytes: this.bytes });
    this.#samples = dropOld(this.#samples, now);
    this.#blocks = dropOld(this.#blocks, now);
    const first = this.#samples[0] ?? { tick: now, keys: this.keys, bytes: this.bytes };
    const seconds = Math.max((now - first.tick) / 1000, 0.001);
    const keysTotal = Math.max(this.keysTotal, this.keys);
    const bytesPerKey = this.keys === 0 ? 0 : this.bytes / this.keys;
    return {
      ...task,
      slotsDone: this.slotsDone,
      keysDone: this.keys,
      keysTotal,
      bytesDone: this.bytes,
      bytesTotal: Math.round(bytesPerKey * keysTotal),
      keysPerS: (this.keys - first.keys) / seconds,
      bytesPerS: (this.bytes - first.bytes) / seconds,
      blockedMs: Math.max(0, ...this.#blocks.map(({ ms }) => ms)),
      quarantinedSlots: this.quarantined.length,
      state: [this.state, this.pace].filter((words) => words !== '').join('; '),
    };
  }

  report(engine: MoveEngine): MoveReport {
    return {
      engine,
      slotsMoved: this.slotsMoved,
      keysMoved: this.keys,
      bytesMoved: this.bytes,
      blockedMs: this.blockedMs,
      quarantined: [...this.quarantined],
      notes: [...this.notes],
    };
  }
}

/** The last one before the time is kept: a rate needs two. */
function dropOld<T extends { readonly tick: number }>(samples: T[], now: number): T[] {
  const first = samples.findIndex(({ tick }) => now - tick < RATE_WINDOW_MS);
  return first <= 0 ? (first === -1 ? [] : samples) : samples.slice(first);
}
