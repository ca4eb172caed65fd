/**
 * Movers of slots on modelled hosts: each goes on until a test lets it finish, or until it is told
 * to stop. That slots are really moved, and safely, is tested with real agents and servers.
 */
import {
  countSlots,
  type MoveReport,
  type MoverObservation,
  type MoveSlotsStep,
  type NodeKey,
  type QuarantinedSlot,
  type SlotRange,
} from '@redrover/core';

const KEYS_PER_SLOT = 10;
const BYTES_PER_KEY = 100;

export interface HeldMove {
  readonly host: string;
  readonly step: MoveSlotsStep;
  readonly mover: MoverObservation;
  /** Of the command that waits for it; undefined once nobody does. */
  command: string | undefined;
}

export class ModelledMovers {
  readonly #held = new Map<string, HeldMove>();
  #count = 0;

  /** At work now, the oldest first. */
  get held(): readonly HeldMove[] {
    return [...this.#held.values()];
  }

  on(host: string): MoverObservation[] {
    return this.held.filter((move) => move.host === host).map(({ mover }) => mover);
  }

  /** A command for a pair that has a mover waits for that one. */
  begin(host: string, command: string, { step, cluster }: Wanted): HeldMove {
    const pair = `${step.source.node} > ${step.target.node}`;
    const known = this.#held.get(pair);
    if (known !== undefined) {
      known.command = command;
      return known;
    }
    this.#count += 1;
    const mover: MoverObservation = {
      id: `m${this.#count}`,
      cluster,
      engine: step.engine,
      source: step.source.node,
      target: step.target.node,
      slots: step.slots,
      state: 'running',
      leaseUntilMs: Date.now() + 600_000,
    };
    const move: HeldMove = { host, step, mover, command };
    this.#held.set(pair, move);
    return move;
  }

  findByCommand(command: string): HeldMove | undefined {
    return this.held.find((move) => move.command === command);
  }

  /** It is not at work any more. */
  end({ step }: HeldMove): void {
    this.#held.delete(`${step.source.node} > ${step.target.node}`);
  }
}

interface Wanted {
  readonly step: MoveSlotsStep;
  readonly cluster: string;
}

export function reportOf(
  { engine }: MoveSlotsStep,
  moved: readonly SlotRange[],
  quarantined: readonly QuarantinedSlot[] = [],
): MoveReport {
  const slotsMoved = countSlots(moved);
  const keysMoved = slotsMoved * KEYS_PER_SLOT;
  const bytesMoved = keysMoved * BYTES_PER_KEY;
  return { engine, slotsMoved, keysMoved, bytesMoved, blockedMs: 3, quarantined, notes: [] };
}

/** The first so many of the slots. */
export function firstSlots(slots: readonly SlotRange[], count: number): SlotRange[] {
  const taken: SlotRange[] = [];
  let left = count;
  for (const { start, end } of slots) {
    if (left === 0) break;
    const last = Math.min(end, start + left - 1);
    taken.push({ start, end: last });
    left -= last - start + 1;
  }
  return taken;
}

/** What an agent says that it found in slots of a node. */
export function surveyOf(
  node: NodeKey,
  slots: readonly SlotRange[],
  bytesIn: (slot: number) => number,
) {
  const stats = slots.flatMap(({ start, end }) =>
    Array.from({ length: end - start + 1 }, (_, index) => ({
      slot: start + index,
      keys: KEYS_PER_SLOT,
      bytes: bytesIn(start + index),
    })),
  );
  const largestKey = { slot: slots[0]?.start ?? 0, name: 'big', type: 'hash', bytes: 2_000 };
  return {
    node,
    slots: stats,
    keysSampled: stats.length,
    largestKey,
    complete: true,
    functionLibraries: [],
  };
}
