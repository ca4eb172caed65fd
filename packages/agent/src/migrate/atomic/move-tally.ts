/** What an atomic move has done so far, for its report and for those who watch. Asks nothing by itself. */
import { countSlots, type MoveReport, type MoveSlotsStep } from '@redrover/core';
import type { MoveStatus } from '../move-task.ts';
import { emptyReport } from '../outcomes.ts';
import type { Arrived, SlotLoad } from './load.ts';

export class MoveTally {
  readonly #step: MoveSlotsStep;
  readonly #startTick = performance.now();
  #report: MoveReport;
  #total = { slots: 0, keys: 0, bytes: 0 };
  /** At the target before this task, moved by an earlier one. */
  #slotsBefore = 0;

  constructor(step: MoveSlotsStep) {
    this.#step = step;
    this.#report = emptyReport(step.engine);
  }

  get report(): MoveReport {
    return this.#report;
  }

  expect(loads: readonly SlotLoad[]): void {
    this.#total = sumOf(loads);
    this.#slotsBefore = countSlots(this.#step.slots) - this.#total.slots;
  }

  moved(loads: readonly SlotLoad[]): void {
    const { slots, keys, bytes } = sumOf(loads);
    this.#report = {
      ...this.#report,
      slotsMoved: this.#report.slotsMoved + slots,
      keysMoved: this.#report.keysMoved + keys,
      bytesMoved: this.#report.bytesMoved + bytes,
    };
  }

  blocked(ms: number): void {
    this.#report = { ...this.#report, blockedMs: Math.max(this.#report.blockedMs, ms) };
  }

  note(...notes: readonly string[]): void {
    const fresh = notes.filter((text) => !this.#report.notes.includes(text));
    this.#report = { ...this.#report, notes: [...this.#report.notes, ...fresh] };
  }

  /** @param under what has arrived of the slots that are under way now, which count when all have. */
  status(state: string, under: Arrived): MoveStatus {
    const { source, target, engine, slots } = this.#step;
    const { slotsMoved, keysMoved, bytesMoved, blockedMs } = this.#report;
    const keysDone = Math.min(keysMoved + Math.max(0, under.keys), this.#total.keys);
    const bytesDone = Math.min(bytesMoved + Math.max(0, under.bytes), this.#total.bytes);
    const seconds = Math.max((performance.now() - this.#startTick) / 1000, 0.001);
    const progress = {
      source: source.node,
      target: target.node,
      engine,
      slotsDone: this.#slotsBefore + slotsMoved,
      slotsTotal: countSlots(slots),
      keysDone,
      keysTotal: this.#total.keys,
      bytesDone,
      bytesTotal: this.#total.bytes,
      keysPerS: keysDone / seconds,
      bytesPerS: bytesDone / seconds,
      blockedMs,
      quarantinedSlots: 0,
      state,
    };
    return { progress, report: this.#report };
  }
}

function sumOf(loads: readonly SlotLoad[]) {
  const sum = { slots: loads.length, keys: 0, bytes: 0 };
  for (const { keys, bytes } of loads) {
    sum.keys += keys;
    sum.bytes += bytes;
  }
  return sum;
}
