/**
 * Opens slots again between two masters of which one was promoted a moment ago: what the slot machine says, as far as
 * it is opening. Keys are moved, and slots handed over or closed, by a mover alone.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  listSlots,
  nextSlotAction,
  type MoveEnd,
  type MoveSlotsStep,
  type SlotAction,
  type SlotActionKind,
  type SlotFacts,
} from '@redrover/core';
import { MoveNodes, type WindowReading } from '../mover/move-nodes.ts';
import { executeEffects, type PlannedEffect } from '../mover/slot-effects.ts';
import { SlotMemory } from '../mover/slot-memory.ts';

export interface ReopenOptions {
  readonly step: MoveSlotsStep;
  /** The master that was replaced. */
  readonly former: MoveEnd;
  readonly password: string;
  /** Aborted: somebody else goes on from here. */
  readonly signal: AbortSignal;
}

const OPENING: readonly SlotActionKind[] = ['setImporting', 'setMigrating', 'nameSource'];
/** While an end is silent, loading, or has not heard of the promotion. */
const PAUSE_MS = 40;

/** Until nothing is left to be opened. Answers how many slots were. */
export async function reopenSlots(options: ReopenOptions): Promise<number> {
  const { step, former, password, signal } = options;
  const nodes = new MoveNodes(step, password);
  const opened = new Set<number>();
  let left = listSlots(step.slots).map((slot) => new SlotMemory(slot));
  try {
    while (left.length > 0 && !signal.aborted) {
      const reading = withFormer(await nodes.read(left.map(({ slot }) => slot)), step, former);
      const decided = left.map((memory) => ({ memory, ...decide(memory, reading) }));
      const effects = decided.flatMap(({ memory, action, facts }): PlannedEffect[] =>
        isOpening(action) && facts !== undefined ? [{ memory, action, facts }] : [],
      );
      left = decided.filter(({ action }) => isUnderWay(action)).map(({ memory }) => memory);
      if (left.length === 0 || signal.aborted) break;
      const isDone = await execute(effects, { nodes, step, opened });
      if (!isDone || effects.length === 0) await delay(PAUSE_MS);
    }
    return opened.size;
  } finally {
    nodes.close();
  }
}

interface Execution {
  readonly nodes: MoveNodes;
  readonly step: MoveSlotsStep;
  readonly opened: Set<number>;
}

/** False if a node has refused, or does not answer: it is looked at again. */
async function execute(
  effects: readonly PlannedEffect[],
  { nodes, step, opened }: Execution,
): Promise<boolean> {
  try {
    const { refusal, done } = await executeEffects(effects, nodes, step.nodeTimeoutMs);
    for (const { memory } of done) opened.add(memory.slot);
    return refusal === undefined;
  } catch {
    return false;
  }
}

function decide(memory: SlotMemory, reading: WindowReading) {
  let facts: SlotFacts | undefined;
  const action = memory.decide(reading, {
    // Open they were: whether they go on is for whoever moves them.
    intent: 'move',
    maxReplicaLagBytes: Infinity,
    decide: (given) => nextSlotAction((facts = given)),
  });
  return { action, facts };
}

function isOpening(action: SlotAction): action is PlannedEffect['action'] {
  return OPENING.includes(action.kind);
}

function isUnderWay(action: SlotAction): boolean {
  return isOpening(action) || (action.kind === 'wait' && !action.replan);
}

/**
 * The former master belongs to the heir's shard, whatever the others still take it for. It is not asked: one that hangs
 * would be waited for.
 */
function withFormer(reading: WindowReading, step: MoveSlotsStep, former: MoveEnd): WindowReading {
  const { move } = reading;
  const asked = { end: former, reading: undefined };
  const isSource = step.source.node === step.node;
  const replicas = isSource ? 'sourceReplicas' : 'targetReplicas';
  const others = move[replicas].filter(({ end }) => end.nodeId !== former.nodeId);
  return { ...reading, move: { ...move, [replicas]: [...others, asked] } };
}
