/**
 * When a mover may block its nodes, and for how long: at will where no client is at work, else one batch at a time and
 * within a share of the time. It looks at the nodes' own counts; what follows from them is core's word.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  loadBetween,
  nextPace,
  readCommandTotals,
  spendBudget,
  startBudget,
  startPace,
  type BatchLimits,
  type BudgetState,
  type CommandTotals,
  type MoveLimits,
  type PaceState,
} from '@redrover/core';
import { encode } from '../link/resp-command.ts';
import { replyText } from '../link/resp-parser.ts';
import type { Meter } from './meter.ts';
import type { MoveNode, MoveNodes } from './move-nodes.ts';

/** A client that begins waits so long for the mover to notice. It costs each end some tenths of a millisecond. */
const LOOK_EVERY_MS = 200;
/** After the first reading, so that a short move without clients loses no time. */
const FIRST_LOOK_MS = 40;
/** Whoever is silent for longer is known to be silent by other means. */
const LOOK_TIMEOUT_MS = 3_000;

const READY = (): Promise<void> => Promise.resolve();
const COMMAND_STATS = encode('INFO', 'commandstats');

interface Reading {
  readonly totals: CommandTotals;
  readonly tick: number;
}

export class Pace {
  readonly #limits: MoveLimits;
  readonly #meter: Meter;
  readonly #ends: readonly MoveNode[];
  readonly #readings = new Map<MoveNode, Reading>();
  #state: PaceState;
  #budget: BudgetState;
  /** Resolves when whoever blocks now is done. */
  #lane: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #hasEnded = false;
  #lookTick = performance.now();

  constructor({ source, target }: MoveNodes, limits: MoveLimits, meter: Meter) {
    this.#ends = [source, target];
    this.#limits = limits;
    this.#meter = meter;
    this.#state = startPace(limits);
    this.#budget = startBudget(performance.now());
  }

  /** Clients are at work on an end, or nobody knows yet. */
  get isHeldBack(): boolean {
    return this.#limits.busyShare < 1 && this.#state.isInUse;
  }

  get batchLimits(): BatchLimits {
    return this.isHeldBack ? this.#limits : this.#limits.idle;
  }

  /** Both ends answer. */
  begin(): void {
    if (this.#limits.busyShare < 1) void this.#look().finally(() => this.#next(FIRST_LOOK_MS));
  }

  end(): void {
    this.#hasEnded = true;
    clearTimeout(this.#timer);
  }

  /** Does what blocks an end, when it may; `ready` is awaited just before, and blocks nobody. */
  async block<T>(work: () => Promise<T>, ready = READY): Promise<T> {
    if (!this.isHeldBack) {
      await ready();
      return work();
    }
    const before = this.#lane;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lane = promise;
    try {
      await before;
      return await this.#blockInTurn(work, ready);
    } finally {
      resolve();
    }
  }

  /** Each handover makes every node of the cluster sync a file: between two of them clients have a long rest. */
  handedOver(blockedMs: number): void {
    if (!this.isHeldBack) return;
    const block = { startMs: performance.now() - blockedMs, blockedMs };
    this.#budget = spendBudget(this.#budget, this.#limits.handoverShare, block);
  }

  async #blockInTurn<T>(work: () => Promise<T>, ready: () => Promise<void>): Promise<T> {
    const waitMs = this.#budget.freeAtMs - performance.now();
    // What is less, a timer would only make longer; it is owed.
    if (this.isHeldBack && waitMs >= 1) await delay(waitMs);
    await ready();
    const startMs = performance.now();
    try {
      return await work();
    } finally {
      const block = { startMs, blockedMs: performance.now() - startMs };
      this.#budget = spendBudget(this.#budget, this.#state.share, block);
    }
  }

  #next(ms: number): void {
    if (this.#hasEnded) return;
    this.#timer = setTimeout(() => void this.#look().finally(() => this.#next(LOOK_EVERY_MS)), ms);
  }

  async #look(): Promise<void> {
    const loads = await Promise.all(this.#ends.map((end) => this.#loadOf(end)));
    const now = performance.now();
    const elapsedMs = now - this.#lookTick;
    this.#lookTick = now;
    if (this.isHeldBack) this.#meter.heldBackMs += elapsedMs;
    this.#state = nextPace(this.#state, this.#limits, { loads, elapsedMs });
    this.#meter.pace = this.isHeldBack ? 'in short steps, as clients are at work' : '';
  }

  /** Since the last look; undefined: not known. */
  async #loadOf(end: MoveNode): Promise<ReturnType<typeof loadBetween>> {
    const before = this.#readings.get(end);
    this.#readings.delete(end);
    // One that broke is made anew by the next reading of all nodes.
    const link = end.openLinkNow;
    if (link === undefined) return undefined;
    try {
      const text = replyText(await link.call('INFO', COMMAND_STATS, LOOK_TIMEOUT_MS));
      const after = { totals: readCommandTotals(text), tick: performance.now() };
      this.#readings.set(end, after);
      return before && loadBetween(before.totals, after.totals, after.tick - before.tick);
    } catch {
      // Silent, or forbidden to whoever moves: then somebody may be at work.
      return undefined;
    }
  }
}
