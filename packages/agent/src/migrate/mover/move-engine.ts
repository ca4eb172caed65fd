/**
 * Moves the slots of one task by MIGRATE, window by window, until they are there, until it is told to
 * stop, or until it cannot go on. What is next for a slot is the slot machine's word.
 */
import {
  listSlots,
  nextSlotAction,
  planWindows,
  RedroverError,
  resolveLimits,
  type MoveLimits,
  type MoveSlotsStep,
  type SlotAction,
} from '@redrover/core';
import { failureOf } from '../outcomes.ts';
import type { MoveEnding, MoveFailure, MoveOutcome, MoveStatus } from '../move-task.ts';
import { copyFunctions } from '../copy-functions.ts';
import { listHalfOpen } from './half-open.ts';
import { KeyMover } from './key-mover.ts';
import { Meter } from './meter.ts';
import { MoveNodes } from './move-nodes.ts';
import { Pace } from './pace.ts';
import { ReplicaWatch } from './replica-watch.ts';
import { SlotMemory, type Decide } from './slot-memory.ts';
import { SlotWindows, type WindowLeft } from './slot-windows.ts';

export interface MoveEngineOptions {
  readonly step: MoveSlotsStep;
  readonly password: string;
  /** Aborted: stop at the end of the window. */
  readonly stop: AbortSignal;
  /** Default: the slot machine with all its rules. */
  readonly decide?: Decide;
}

interface Survey {
  readonly counts: ReadonlyMap<number, number>;
  readonly open: readonly number[];
}

/** What is shorter nobody has noticed. */
const LEAST_HELD_BACK_MS = 1_000;

export class MoveEngine {
  readonly #options: MoveEngineOptions;
  readonly #limits: MoveLimits;
  readonly #nodes: MoveNodes;
  readonly #meter = new Meter();
  readonly #watch: ReplicaWatch;
  readonly #pace: Pace;
  readonly #keyMover: KeyMover;
  readonly #slots: readonly number[];

  constructor(options: MoveEngineOptions) {
    const { step, password, stop } = options;
    this.#options = options;
    this.#limits = resolveLimits(step.options, step.nodeTimeoutMs);
    this.#nodes = new MoveNodes(step, password);
    const { maxReplicaLagBytes } = this.#limits;
    this.#watch = new ReplicaWatch(this.#nodes, this.#meter, maxReplicaLagBytes);
    const parts = { limits: this.#limits, nodes: this.#nodes, meter: this.#meter };
    this.#pace = new Pace(this.#nodes, this.#limits, this.#meter);
    const paces = { watch: this.#watch, pace: this.#pace };
    this.#keyMover = new KeyMover({ step, password, ...parts, ...paces, stop });
    this.#slots = listSlots(step.slots);
  }

  get status(): MoveStatus {
    const { source, target, engine } = this.#options.step;
    const names = { source: source.node, target: target.node, engine };
    const progress = this.#meter.progress({ ...names, slotsTotal: this.#slots.length });
    return { progress, report: this.#meter.report(engine) };
  }

  async run(): Promise<MoveOutcome> {
    try {
      const left = await this.#moveAll();
      if (left !== undefined) return this.#outcome('failed', this.#failureOf(left));
      const isDone = this.#meter.slotsDone === this.#slots.length;
      return this.#outcome(isDone ? 'done' : 'stopped', undefined);
    } catch (thrown) {
      return this.#outcome('failed', failureOf(thrown));
    } finally {
      this.#pace.end();
      this.#keyMover.close();
      this.#nodes.close();
    }
  }

  async #moveAll(): Promise<WindowLeft | undefined> {
    const { counts, open } = await this.#survey();
    this.#pace.begin();
    const { source, target } = this.#nodes;
    const notes = await copyFunctions(await source.link(), await target.link());
    for (const note of notes) this.#meter.note(note);
    const keysOf = (slot: number): number => counts.get(slot) ?? 0;
    const others = this.#slots.filter((slot) => !open.includes(slot));
    const windows = planWindows(others, keysOf, this.#limits);
    return this.#moveWindows(open.length > 0 ? [open, ...windows] : windows);
  }

  /** Key counts of all slots, and those of them that are half way already. */
  async #survey(): Promise<Survey> {
    const reading = await this.#nodes.read(this.#slots);
    const { move, counts } = reading;
    const silent = [move.source, move.target].find(({ reading }) => reading === undefined);
    if (silent !== undefined) {
      const { node, address, port } = silent.end;
      throw new RedroverError(
        'unavailable',
        `${node} (${address}:${port}) does not answer, so no slot was touched`,
      );
    }
    const keys = new Map(this.#slots.map((slot) => [slot, counts.get(slot)?.source ?? 0]));
    this.#meter.keysTotal = [...keys.values()].reduce((sum, count) => sum + count, 0);
    return { counts: keys, open: listHalfOpen(this.#slots, reading) };
  }

  #moveWindows(windows: readonly (readonly number[])[]): Promise<WindowLeft | undefined> {
    const { step, stop, decide = nextSlotAction } = this.#options;
    const memories = windows.map((slots) => slots.map((slot) => new SlotMemory(slot)));
    return new SlotWindows(memories, {
      nodes: this.#nodes,
      keyMover: this.#keyMover,
      pace: this.#pace,
      meter: this.#meter,
      limits: this.#limits,
      nodeTimeoutMs: step.nodeTimeoutMs,
      stop,
      decide,
      onSlot: (memory, end) => this.#noteEnd(memory, end),
    }).run();
  }

  #noteEnd(memory: SlotMemory, end: SlotAction): void {
    const meter = this.#meter;
    if (end.kind === 'quarantine') {
      meter.quarantined.push(end.quarantined);
      meter.slotsDone += 1;
      return;
    }
    if (end.kind !== 'done' || !end.moved) return;
    meter.slotsDone += 1;
    if (memory.touched) meter.slotsMoved += 1;
    if (end.orphanKeys > 0) {
      const { source } = this.#options.step;
      meter.note(`${source.node} holds ${end.orphanKeys} keys of slot ${memory.slot}, not its own`);
    }
  }

  #failureOf({ slots, reason, replan }: WindowLeft): MoveFailure {
    const { source, target } = this.#options.step;
    this.#noteRisk();
    return {
      // Fenced: others are masters than the plan was made from, and the next plan knows.
      code: replan ? 'fenced' : 'unavailable',
      message: `moving slots from ${source.node} to ${target.node} cannot go on: ${reason}`,
      context: { slots: slots.join(' ') },
    };
  }

  /** What a target that is gone may have had alone. */
  #noteRisk(): void {
    const { keys, bytes } = this.#watch.unreplicated;
    const { node } = this.#options.step.target;
    if (keys > 0) {
      this.#meter.note(
        `up to ${keys} keys (${bytes} bytes) had reached ${node} and perhaps none of its replicas ` +
          'when it was last heard of; if it was replaced by one of them, they are lost',
      );
    }
  }

  #noteHeldBack(): void {
    const { heldBackMs } = this.#meter;
    if (heldBackMs < LEAST_HELD_BACK_MS) return;
    const { source, target } = this.#options.step;
    this.#meter.note(
      `for ${Math.round(heldBackMs / 1000)} s clients were at work on ${source.node} or ` +
        `${target.node}, so keys were moved in short steps (--fast does not wait for anybody)`,
    );
  }

  #outcome(ending: MoveEnding, error: MoveFailure | undefined): MoveOutcome {
    this.#noteHeldBack();
    return { ending, report: this.#meter.report(this.#options.step.engine), error };
  }
}
