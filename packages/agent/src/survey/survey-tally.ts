/** Adds up what a survey sees, and estimates what it does not. Asks nothing by itself. */
import type { LargestKey, SlotStats, SlotSurvey } from '@redrover/core';
import { slotOfKey } from '../steps/key-slot.ts';
import { showKeyName } from './key-name.ts';

interface SlotTally {
  readonly keys: number;
  measuredKeys: number;
  measuredBytes: number;
  isWhole: boolean;
}

/** One key of a megabyte among eight small ones would make all keys of its slot large ones. */
const STANDS_OUT = 4;

export class SurveyTally {
  readonly #slots = new Map<number, SlotTally>();
  #keysMeasured = 0;
  #largest: LargestKey | undefined;

  get largestBytes(): number {
    return this.#largest?.bytes ?? 0;
  }

  get hasMeasured(): boolean {
    return this.#keysMeasured > 0;
  }

  /** A slot with so many keys. */
  expect(slot: number, keys: number): void {
    this.#slots.set(slot, { keys, measuredKeys: 0, measuredBytes: 0, isWhole: keys === 0 });
  }

  keysOf(slot: number): number {
    return this.#slots.get(slot)?.keys ?? 0;
  }

  isWhole(slot: number): boolean {
    return this.#slots.get(slot)?.isWhole ?? false;
  }

  /** Those that have keys unlike the ones of other slots, by what was measured: a few more say little about the rest. */
  pickOdd(slots: readonly number[]): ReadonlySet<number> {
    const limitBytes = STANDS_OUT * this.#meanBytes();
    return new Set(
      slots.filter((slot) => {
        const { measuredKeys = 0, measuredBytes = 0 } = this.#slots.get(slot) ?? {};
        return measuredBytes > limitBytes * measuredKeys;
      }),
    );
  }

  /** Its keys are measured (anew) from now on. */
  begin(slot: number): void {
    const tally = this.#slots.get(slot);
    if (tally === undefined) return;
    this.#keysMeasured -= tally.measuredKeys;
    Object.assign(tally, { measuredKeys: 0, measuredBytes: 0, isWhole: false });
  }

  /** `isLast`: with these, all keys of the slot are measured. */
  add(
    slot: number,
    { keys, bytes, isLast = false }: { keys: number; bytes: number; isLast?: boolean },
  ): void {
    const tally = this.#slots.get(slot);
    if (tally === undefined) return;
    tally.measuredKeys += keys;
    tally.measuredBytes += bytes;
    tally.isWhole ||= isLast;
    this.#keysMeasured += keys;
  }

  noteLargest({ name, bytes, type }: { name: Buffer; bytes: number; type: string }): void {
    this.#largest = { slot: slotOfKey(name), name: showKeyName(name), type, bytes };
  }

  /** @param counted bytes by slot, where the server itself counts them. */
  survey(
    counted: ReadonlyMap<number, number> | undefined,
    complete: boolean,
  ): Omit<SlotSurvey, 'node' | 'functionLibraries'> {
    const meanBytes = this.#meanBytes();
    const slots = [...this.#slots].map(([slot, tally]): SlotStats => {
      const bytes = counted?.get(slot) ?? estimate(tally, meanBytes);
      return { slot, keys: tally.keys, bytes: Math.round(bytes) };
    });
    // A scan comes by keys again that were among the few.
    const keysSampled = Math.min(this.#keysMeasured, sumOf(slots));
    return { slots, keysSampled, largestKey: this.#largest, complete };
  }

  #meanBytes(): number {
    let [keys, bytes] = [0, 0];
    for (const tally of this.#slots.values()) {
      keys += tally.measuredKeys;
      bytes += tally.measuredBytes;
    }
    return keys === 0 ? 0 : bytes / keys;
  }
}

function sumOf(slots: readonly SlotStats[]): number {
  return slots.reduce((sum, { keys }) => sum + keys, 0);
}

/** By the slot's own keys, or by those of the other slots where none was measured. */
function estimate({ keys, measuredKeys, measuredBytes }: SlotTally, meanBytes: number): number {
  return measuredKeys === 0 ? keys * meanBytes : (measuredBytes / measuredKeys) * keys;
}
