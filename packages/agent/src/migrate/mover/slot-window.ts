/**
 * Brings a window of slots from where they are to their end: asks all nodes, has the slot machine say
 * what is next for each slot, executes that, and asks again. Holds no rule of the protocol.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { RedroverError, type MoveLimits, type SlotAction } from '@redrover/core';
import type { KeyMover } from './key-mover.ts';
import type { Meter } from './meter.ts';
import type { MoveNodes } from './move-nodes.ts';
import { executeEffects, type PlannedEffect } from './slot-effects.ts';
import type { Decide, SlotMemory } from './slot-memory.ts';

export interface WindowOptions {
  readonly nodes: MoveNodes;
  readonly keyMover: KeyMover;
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

interface Turn {
  readonly effects: readonly PlannedEffect[];
  readonly withKeys: readonly SlotMemory[];
  readonly pauses: readonly Extract<SlotAction, { readonly reason: string }>[];
}

export class SlotWindow {
  readonly #options: WindowOptions;
  #open: SlotMemory[];
  #pauseMs = PAUSE_MIN_MS;
  /** When anything was last done, or ended. */
  #progressTick = performance.now();
  #refusal: string | undefined;
  /** What concerns the whole task: nothing is begun any more, and what can be closed is closed. */
  #fatal: Error | undefined;

  constructor(slots: readonly SlotMemory[], options: WindowOptions) {
    this.#options = options;
    this.#open = [...slots];
  }

  /**
   * Undefined when every slot has come to its end.
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
    while (this.#open.length > 0) {
      const turn = await this.#look();
      if (this.#open.length === 0) break;
      const isIdle = turn.effects.length === 0 && turn.withKeys.length === 0;
      const left = this.#judge(turn, isIdle);
      if (left !== undefined) return left;
      await (isIdle ? this.#pause(turn) : this.#act(turn));
    }
    return undefined;
  }

  /** Everybody's word, and what follows for each slot; those at their end are let go. */
  async #look(): Promise<Turn> {
    const { nodes, limits, stop, onSlot, decide } = this.#options;
    const reading = await nodes.read(this.#open.map(({ slot }) => slot));
    const isEnding = stop.aborted || this.#fatal !== undefined;
    const intent = isEnding ? ('settle' as const) : ('move' as const);
    const { maxReplicaLagBytes } = limits;
    const effects: PlannedEffect[] = [];
    const withKeys: SlotMemory[] = [];
    const pauses: Turn['pauses'][number][] = [];
    const left: SlotMemory[] = [];
    for (const memory of this.#open) {
      const action = memory.decide(reading, { intent, maxReplicaLagBytes, decide });
      if (action.kind === 'done' || action.kind === 'quarantine') {
        onSlot(memory, action);
        this.#progressTick = performance.now();
        continue;
      }
      // Keys cannot be moved any more, nor is anybody waited for.
      const isLost = action.kind === 'moveKeys' || 'reason' in action;
      if (this.#fatal !== undefined && isLost) continue;
      memory.noteAction(action.kind);
      left.push(memory);
      if (action.kind === 'moveKeys') withKeys.push(memory);
      else if ('reason' in action) pauses.push(action);
      else effects.push({ memory, action });
    }
    this.#open = left;
    return { effects, withKeys, pauses };
  }

  async #act({ effects, withKeys }: Turn): Promise<void> {
    const { nodes, keyMover, meter, nodeTimeoutMs } = this.#options;
    meter.state = '';
    const keysBefore = meter.keys;
    try {
      this.#refusal = await executeEffects(effects, nodes, nodeTimeoutMs);
      if (withKeys.length > 0) await keyMover.move(withKeys);
    } catch (thrown) {
      // A link that broke is a fact for the next look; anything else concerns the whole task.
      if (!isBroken(thrown))
        this.#fatal ??= thrown instanceof Error ? thrown : new Error(String(thrown));
      this.#refusal = RedroverError.from(thrown).message;
    }
    const hasMoved = meter.keys > keysBefore;
    // The same effect on the same slot again and again is none, whatever the node answers.
    const isNew = effects.some(({ memory }) => memory.repeats < MAX_REPEATS);
    if (hasMoved || (isNew && this.#refusal === undefined)) {
      this.#progressTick = performance.now();
      this.#pauseMs = PAUSE_MIN_MS;
    } else {
      // What was refused is refused again a moment later: not at full speed.
      meter.state = this.#refusal ?? meter.state;
      await this.#sleep();
    }
  }

  /** Whether to give up: at once where all that is left needs another task, else after a while. */
  #judge({ pauses }: Turn, isIdle: boolean): WindowLeft | undefined {
    const { nodeTimeoutMs } = this.#options;
    const slots = this.#open.map(({ slot }) => slot);
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

/** A node that cannot be reached, or did not answer in time. */
function isBroken(thrown: unknown): thrown is RedroverError {
  if (!(thrown instanceof RedroverError)) return false;
  return thrown.code === 'unavailable' || thrown.code === 'deadline-exceeded';
}
