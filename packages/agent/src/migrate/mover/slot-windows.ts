/**
 * Brings slots from where they are to their end, a window after another: asks all nodes, has the slot
 * machine say what is next for each slot, executes that, and asks again. While the keys of one window are
 * all on the target, the next is opened; it is handed over after it. Holds no rule of the protocol.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  followUp,
  joinWindows,
  RedroverError,
  type MoveLimits,
  type SlotAction,
  type SlotFacts,
} from '@redrover/core';
import type { KeyMover } from './key-mover.ts';
import type { Meter } from './meter.ts';
import type { MoveNodes, WindowReading } from './move-nodes.ts';
import type { Pace } from './pace.ts';
import { executeEffects, type Executed, type PlannedEffect } from './slot-effects.ts';
import type { Decide, SlotMemory } from './slot-memory.ts';

export interface WindowOptions {
  readonly nodes: MoveNodes;
  readonly keyMover: KeyMover;
  readonly pace: Pace;
  readonly meter: Meter;
  readonly limits: MoveLimits;
  readonly nodeTimeoutMs: number;
  readonly decide: Decide;
  /** Aborted: what is open is finished or undone, whichever the keys demand. */
  readonly stop: AbortSignal;
  readonly onSlot: (memory: SlotMemory, end: SlotAction) => void;
}

/** Slots that could not be brought to an end, and why. */
export interface WindowLeft {
  readonly slots: readonly number[];
  readonly reason: string;
  /** Only another task can go on. */
  readonly replan: boolean;
}

/** First wait; it doubles to the second. */
const PAUSE_MIN_MS = 2;
const PAUSE_MAX_MS = 100;
/** A dispute is left to a person after three node timeouts, missing convergence after six. */
const PATIENCE_TIMEOUTS = 8;
const PATIENCE_MIN_MS = 15_000;

/** A slot needs an effect twice when a node was restarted in between; what needs more has no effect. */
const MAX_REPEATS = 3;

interface MutableTurn {
  readonly effects: PlannedEffect[];
  readonly withKeys: SlotMemory[];
  readonly pauses: Extract<SlotAction, { readonly reason: string }>[];
}

type Turn = { readonly [Part in keyof MutableTurn]: Readonly<MutableTurn[Part]> };

export class SlotWindows {
  readonly #options: WindowOptions;
  /** Those that have not begun. */
  readonly #waiting: SlotMemory[][];
  #open: SlotMemory[] = [];
  /** Opened while those before it are handed over. */
  #next: SlotMemory[] = [];
  #mayOpenNext = true;
  #pauseMs = PAUSE_MIN_MS;
  /** When anything was last done, or ended. */
  #progressTick = performance.now();
  #refusal: string | undefined;
  /** What concerns the whole task: nothing is begun any more, and what can be closed is closed. */
  #fatal: Error | undefined;

  constructor(windows: readonly (readonly SlotMemory[])[], options: WindowOptions) {
    this.#options = options;
    this.#waiting = windows.map((window) => [...window]);
  }

  /**
   * Undefined when every slot has come to its end, or has not begun as the stop came first.
   *
   * @throws what the target or the source refuses to all slots, once those without keys on the target are
   * closed: open, they would send each new key to a target that refuses it.
   */
  async run(): Promise<WindowLeft | undefined> {
    const left = await this.#bringToEnd();
    if (this.#fatal !== undefined) throw this.#fatal;
    return left;
  }

  async #bringToEnd(): Promise<WindowLeft | undefined> {
    for (;;) {
      this.#takeNext();
      if (this.#open.length === 0) return undefined;
      const turn = await this.#look();
      if (this.#open.length === 0 && this.#next.length === 0) continue;
      const isIdle = turn.effects.length === 0 && turn.withKeys.length === 0;
      const left = this.#judge(turn, isIdle);
      if (left !== undefined) return left;
      await (isIdle ? this.#pause(turn) : this.#act(turn));
    }
  }

  get #isEnding(): boolean {
    return this.#options.stop.aborted || this.#fatal !== undefined;
  }

  /** No more than two at a time: a stop has to bring both to their end. */
  #takeNext(): void {
    if (this.#open.length === 0) [this.#open, this.#next] = [this.#next, []];
    if (this.#isEnding) return;
    if (this.#open.length === 0) this.#open = this.#takeWindow();
    else if (this.#next.length === 0 && this.#mayOpenNext) this.#next = this.#takeWindow();
    else return;
    this.#mayOpenNext = false;
  }

  #takeWindow(): SlotMemory[] {
    const { pace, limits } = this.#options;
    const sizes = this.#waiting.map(({ length }) => length);
    return this.#waiting.splice(0, pace.isHeldBack ? 1 : joinWindows(sizes, limits)).flat();
  }

  /** Everybody's word, and what follows for each slot; those at their end are let go. */
  async #look(): Promise<Turn> {
    const { nodes } = this.#options;
    const reading = await nodes.read([...this.#open, ...this.#next].map(({ slot }) => slot));
    const turn: MutableTurn = { effects: [], withKeys: [], pauses: [] };
    this.#open = this.#open.filter((memory) => this.#decide(memory, reading, turn));
    const mayHandOver = this.#open.length === 0;
    this.#next = this.#next.filter((memory) => this.#decide(memory, reading, turn, mayHandOver));
    return turn;
  }

  /** False: it is at its end. */
  #decide(
    memory: SlotMemory,
    reading: WindowReading,
    turn: MutableTurn,
    mayHandOver = true,
  ): boolean {
    const { limits, onSlot, decide } = this.#options;
    const intent = this.#isEnding ? ('settle' as const) : ('move' as const);
    const { maxReplicaLagBytes } = limits;
    let facts: SlotFacts | undefined;
    const action = memory.decide(reading, {
      intent,
      maxReplicaLagBytes,
      decide: (given) => decide((facts = given)),
    });
    if (action.kind === 'done' || action.kind === 'quarantine') {
      onSlot(memory, action);
      this.#progressTick = performance.now();
      return false;
    }
    // Keys cannot be moved any more, nor is anybody waited for.
    const isLost = action.kind === 'moveKeys' || 'reason' in action;
    if (this.#fatal !== undefined && isLost) return false;
    if (action.kind === 'finaliseTarget' && !mayHandOver) return true;
    memory.noteAction(action.kind);
    if (action.kind === 'moveKeys') turn.withKeys.push(memory);
    else if ('reason' in action) turn.pauses.push(action);
    else if (facts !== undefined) turn.effects.push({ memory, action, facts });
    return true;
  }

  async #act({ effects, withKeys }: Turn): Promise<void> {
    const { keyMover, meter } = this.#options;
    meter.state = '';
    const keysBefore = meter.keys;
    // The same effect on the same slot again and again is none, whatever the node answers.
    const isNew = effects.some(({ memory }) => memory.repeats < MAX_REPEATS);
    try {
      this.#refusal = await this.#execute(effects);
      // A slot that is being closed has sent clients from one end to the other and back since its target was.
      const isClosing = this.#isEnding && isNew;
      if (withKeys.length > 0 && !isClosing) await keyMover.move(withKeys);
    } catch (thrown) {
      // A link that broke is a fact for the next look; anything else concerns the whole task.
      if (!isBroken(thrown))
        this.#fatal ??= thrown instanceof Error ? thrown : new Error(String(thrown));
      this.#refusal = RedroverError.from(thrown).message;
    }
    this.#mayOpenNext = withKeys.length > 0 || effects.every(isWithoutKeys);
    const hasMoved = meter.keys > keysBefore;
    if (hasMoved || (isNew && this.#refusal === undefined)) {
      this.#progressTick = performance.now();
      this.#pauseMs = PAUSE_MIN_MS;
    } else {
      // What was refused is refused again a moment later: not at full speed.
      meter.state = this.#refusal ?? meter.state;
      await this.#sleep();
    }
  }

  /** The effects, and what may follow each of them at once. Answers the last refusal. */
  async #execute(effects: readonly PlannedEffect[]): Promise<string | undefined> {
    const { nodes, nodeTimeoutMs, pace } = this.#options;
    const startTick = performance.now();
    let refusal: string | undefined;
    let planned = effects;
    while (planned.length > 0) {
      const executed: Executed = await executeEffects(planned, nodes, nodeTimeoutMs);
      refusal = executed.refusal ?? refusal;
      planned = executed.done.flatMap((done) => this.#follow(done));
    }
    const isHandover = effects.some(({ action }) => action.kind === 'finaliseTarget');
    if (isHandover) pace.handedOver(performance.now() - startTick);
    return refusal;
  }

  #follow({ memory, action, facts }: PlannedEffect): PlannedEffect[] {
    const next = followUp(facts, action.kind, this.#options.decide);
    if (next === undefined) return [];
    memory.noteAction(next.action.kind);
    return [{ memory, ...next }];
  }

  /** Whether to give up: at once where all that is left needs another task, else after a while. */
  #judge({ pauses }: Turn, isIdle: boolean): WindowLeft | undefined {
    const { nodeTimeoutMs } = this.#options;
    const slots = [...this.#open, ...this.#next].map(({ slot }) => slot);
    const [first] = pauses;
    const anew = pauses.find((pause) => pause.kind === 'wait' && pause.replan);
    if (anew !== undefined && isIdle) return { slots, reason: anew.reason, replan: true };
    const patienceMs = Math.max(PATIENCE_MIN_MS, PATIENCE_TIMEOUTS * nodeTimeoutMs);
    if (performance.now() - this.#progressTick < patienceMs) return undefined;
    const what = first?.reason ?? this.#refusal ?? 'keys to be taken';
    const reason = `nothing went on for ${Math.round(patienceMs / 1000)} s: ${what}`;
    return { slots, reason, replan: false };
  }

  async #pause({ pauses }: Turn): Promise<void> {
    const { meter } = this.#options;
    const [first] = pauses;
    meter.state = first === undefined ? '' : `waiting: ${first.reason}`;
    await this.#sleep();
  }

  async #sleep(): Promise<void> {
    await delay(this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, PAUSE_MAX_MS);
  }
}

/** What is opened may have keys to be moved first. */
function isWithoutKeys({ action, facts }: PlannedEffect): boolean {
  const isOpening = action.kind === 'setImporting' || action.kind === 'setMigrating';
  return !isOpening || facts.source.said?.keys === 0;
}

/** A node that cannot be reached, or did not answer in time. */
function isBroken(thrown: unknown): thrown is RedroverError {
  if (!(thrown instanceof RedroverError)) return false;
  return thrown.code === 'unavailable' || thrown.code === 'deadline-exceeded';
}
