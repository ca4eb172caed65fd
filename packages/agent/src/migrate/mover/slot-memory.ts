/** What this mover remembers of one slot between two looks at it. Lost with the mover: safe, only slower. */
import {
  slotFactsOf,
  type KeyConflict,
  type OversizedKey,
  type SlotAction,
  type SlotActionKind,
  type SlotFacts,
  type SourceLife,
} from '@redrover/core';
import type { RawList } from '../link/resp-parser.ts';
import type { WindowReading } from './move-nodes.ts';

/** The slot machine; tests take a rule out of it to show what that rule is there for. */
export type Decide = (facts: SlotFacts) => SlotAction;

export interface SlotQuestion {
  readonly intent: SlotFacts['intent'];
  readonly maxReplicaLagBytes: number;
  readonly decide: Decide;
}

export interface DoubtfulKeys {
  readonly keys: RawList;
  /** Of the source, when they were sent, or found to be equal on both ends. */
  readonly life: SourceLife | undefined;
}

export class SlotMemory {
  readonly slot: number;
  touched = false;
  targetConfigSaved = false;
  givenUpTick: number | undefined;
  conflict: KeyConflict | undefined;
  oversized: OversizedKey | undefined;
  /** What was sent to the target without an answer. */
  doubt: DoubtfulKeys[] = [];
  /** How often in a row the same action was the answer, beyond the first time. */
  repeats = 0;
  #lastKind: SlotActionKind | undefined;
  #picture = '';
  #pictureTick = 0;

  constructor(slot: number) {
    this.slot = slot;
  }

  /** The next action, by what was read and is remembered. */
  decide(reading: WindowReading, question: SlotQuestion): SlotAction {
    const { intent, maxReplicaLagBytes, decide } = question;
    const now = performance.now();
    const keys = reading.counts.get(this.slot) ?? { source: 0, target: 0 };
    const move = { ...reading.move, ageMs: now - reading.atTick };
    const facts = slotFactsOf(move, {
      slot: this.slot,
      intent,
      sourceKeys: keys.source,
      targetKeys: keys.target,
      task: {
        touched: this.touched,
        targetConfigSaved: this.targetConfigSaved,
        givenUpForMs: since(this.givenUpTick, now),
        keysInDoubt: this.doubt.reduce((sum, { keys }) => sum + keys.count, 0),
        conflict: this.conflict,
        oversized: this.oversized,
        maxReplicaLagBytes,
      },
      unchangedForMs: 0,
    });
    if (facts.source.said?.owner === facts.target.nodeId) this.givenUpTick ??= now;
    const action = decide(facts);
    if (!isPause(action)) return action;
    // Only who waits asks for how long nothing has changed.
    return decide({ ...facts, unchangedForMs: this.#unchangedForMs(facts, now) });
  }

  noteAction(kind: SlotActionKind): void {
    this.repeats = kind === this.#lastKind ? this.repeats + 1 : 0;
    this.#lastKind = kind;
  }

  #unchangedForMs(facts: SlotFacts, now: number): number {
    const picture = describe(facts);
    if (picture !== this.#picture) {
      this.#picture = picture;
      this.#pictureTick = now;
    }
    return now - this.#pictureTick;
  }
}

function isPause({ kind }: SlotAction): boolean {
  return kind === 'wait' || kind === 'awaitConvergence' || kind === 'awaitTargetReplicas';
}

/** Ownership, flags and roles, without counts and times. */
function describe(facts: SlotFacts): string {
  const { source, target, witnesses, sourceReplicas, targetReplicas, targetSeesSource } = facts;
  const ends = [source.said, target.said].map(
    (said) => said && [said.nodeId, said.role, said.owner, said.migratingTo, said.importingFrom],
  );
  const others = [...witnesses, ...sourceReplicas, ...targetReplicas].map(({ nodeId, said }) => [
    nodeId,
    said?.role,
    said?.owner,
  ]);
  return JSON.stringify([ends, others, targetSeesSource?.flags]);
}

function since(tick: number | undefined, now: number): number | undefined {
  return tick === undefined ? undefined : now - tick;
}
