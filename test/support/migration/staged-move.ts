/**
 * A mover in the test's own process whose slot machine can be held at an answer, or have rules taken out: what
 * happens on real servers between deciding and doing, with and without a check.
 */
import { MoveEngine } from '@redrover/agent';
import {
  decideSlot,
  nextSlotAction,
  PRESENCE_RULES,
  SLOT_RULES,
  type MoveSlotsStep,
  type SlotAction,
  type SlotActionKind,
  type SlotFacts,
} from '@redrover/core';

import { until } from '../until.ts';
import { PASSWORD } from './bare-cluster.ts';

export interface StagedMoveOptions {
  /** Names of rules that are left out. */
  readonly without?: readonly string[];
  /** At its first answer of this kind the mover waits until `release`. */
  readonly holdAt?: SlotActionKind;
  /** What was held is done then as it was decided, though it was long ago. */
  readonly isCareless?: boolean;
  /** Called, once, with an answer of this kind just before it is executed. */
  readonly onFirst?: readonly [SlotActionKind, () => void];
}

export class StagedMove {
  readonly #options: StagedMoveOptions;
  readonly #stop = new AbortController();
  readonly #engine: MoveEngine;
  readonly outcome: ReturnType<MoveEngine['run']>;
  #held: SlotAction | undefined;
  #isReleased = false;
  #isSeen = false;
  #hasEnded = false;

  constructor(step: MoveSlotsStep, options: StagedMoveOptions = {}) {
    this.#options = options;
    for (const name of options.without ?? []) {
      const isKnown = [...SLOT_RULES, ...PRESENCE_RULES].some((rule) => rule.name === name);
      if (!isKnown) throw new Error(`there is no rule ${name}`);
    }
    const decide = (facts: SlotFacts) => this.#decide(facts);
    this.#engine = new MoveEngine({ step, password: PASSWORD, stop: this.#stop.signal, decide });
    this.outcome = this.#engine.run().finally(() => (this.#hasEnded = true));
    // Whoever waits for it is told.
    this.outcome.catch(() => {});
  }

  /** Until it is held. */
  async held(): Promise<void> {
    await until(`an answer ${this.#options.holdAt}`, () => this.#held !== undefined);
  }

  /** What it says of itself. */
  get state(): string {
    return this.#engine.status.progress.state;
  }

  release(): void {
    this.#isReleased = true;
  }

  /** Until it says that it waits, and for what. */
  async waits(forWhat: RegExp): Promise<void> {
    await until(`a mover that waits for ${forWhat}`, () => {
      if (this.#hasEnded) throw new Error('the mover has ended');
      return forWhat.test(this.#engine.status.progress.state);
    });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.release();
    await this.outcome;
  }

  #decide(facts: SlotFacts): SlotAction {
    const { holdAt, isCareless = false, onFirst } = this.#options;
    if (this.#held !== undefined && !this.#isReleased) return HELD;
    if (this.#held !== undefined && isCareless && !this.#isSeen) {
      this.#isSeen = true;
      return this.#held;
    }
    const action = this.#answer(facts);
    if (action.kind === holdAt && this.#held === undefined) {
      this.#held = action;
      return HELD;
    }
    if (onFirst !== undefined && action.kind === onFirst[0] && !this.#isSeen) {
      this.#isSeen = true;
      onFirst[1]();
    }
    return action;
  }

  #answer(facts: SlotFacts): SlotAction {
    const { without } = this.#options;
    if (without === undefined) return nextSlotAction(facts);
    const isLeft = ({ name }: { readonly name: string }) => !without.includes(name);
    return decideSlot(facts, SLOT_RULES.filter(isLeft), PRESENCE_RULES.filter(isLeft));
  }
}

const HELD: SlotAction = { kind: 'wait', reason: 'the scene', replan: false, rule: 'held' };
