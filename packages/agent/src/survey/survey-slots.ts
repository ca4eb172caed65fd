/**
 * A look at slots of a node: how many keys and bytes are in them, and the largest key. It ends when
 * all is seen or its time is up; until then it looks at a few keys of every slot first, then at all
 * keys of the slots that have not too many, and last, by SCAN, at those of the others.
 */
import {
  RedroverError,
  SLOT_COUNT,
  type SlotKeys,
  type SlotRange,
  type SlotSurvey,
} from '@redrover/core';
import { listLibraryNames } from '../migrate/copy-functions.ts';
import { Link } from '../migrate/link/link.ts';
import { encode } from '../migrate/link/resp-command.ts';
import { countKeysIn } from '../redis/count-keys.ts';
import { slotOfKey } from '../steps/key-slot.ts';
import type { AgentNode } from '../supervise/agent-node.ts';
import { batchesOf, measureParts, partsOf } from './measure-slots.ts';
import { measureKeys, readSlotBytes, scanKeys, typeOf, type MeasuredKey } from './survey-link.ts';
import { SurveyTally } from './survey-tally.ts';

export interface SurveyRequest {
  readonly slots: readonly SlotRange[];
  /** 100 to 60000. */
  readonly budgetMs: number;
}

/** Enough for an estimate: keys of one slot are as different as those of the node. */
const FEW_KEYS = 8;
/** Names of more than that would block the node for more than a millisecond. */
const MANY_KEYS = 1_000;

/**
 * @throws RedroverError `invalid-argument`; `failed-precondition` on a replica, which may not say how
 * large a key is; `unavailable` or `deadline-exceeded` when the node does not answer.
 */
export async function surveySlots(
  node: AgentNode,
  request: SurveyRequest,
  signal: AbortSignal,
): Promise<SlotSurvey> {
  const slots = slotsOf(request);
  const { key, port, plan, password } = node.record;
  const link = await Link.open({ key, address: plan.node.address, port, password });
  try {
    await requireMaster(link);
    const deadlineTickMs = performance.now() + request.budgetMs;
    const counts = await countKeysIn({ connection: node.connection, options: {} }, slots);
    const survey = new Survey(link, deadlineTickMs, signal);
    const functionLibraries = await listLibraryNames(link);
    return {
      node: key,
      functionLibraries,
      ...(await survey.run({ slots, counts, ranges: request.slots })),
    };
  } finally {
    link.close();
  }
}

interface SurveyTask {
  readonly slots: readonly number[];
  /** Of those that have any. */
  readonly counts: readonly SlotKeys[];
  readonly ranges: readonly SlotRange[];
}

class Survey {
  readonly #link: Link;
  readonly #deadlineTickMs: number;
  readonly #signal: AbortSignal;
  readonly #tally = new SurveyTally();

  constructor(link: Link, deadlineTickMs: number, signal: AbortSignal) {
    this.#link = link;
    this.#deadlineTickMs = deadlineTickMs;
    this.#signal = signal;
  }

  async run({
    slots,
    counts,
    ranges,
  }: SurveyTask): Promise<Omit<SlotSurvey, 'node' | 'functionLibraries'>> {
    const keysIn = new Map(counts.map(({ slot, keys }) => [slot, keys]));
    for (const slot of slots) this.#tally.expect(slot, keysIn.get(slot) ?? 0);
    const counted = await readSlotBytes(this.#link, ranges);
    // Not in their order: what there is time for shall stand for all the others.
    const filled = slots
      .filter((slot) => this.#tally.keysOf(slot) > 0)
      .sort((a, b) => placeOf(a) - placeOf(b));
    const isComplete =
      (await this.#lookAt(filled, FEW_KEYS)) &&
      (await this.#lookAt(this.#listable(filled), MANY_KEYS)) &&
      (await this.#scan(new Set(this.#unfinished(filled))));
    return this.#tally.survey(counted, isComplete);
  }

  /** So many keys of each slot. False when the time was up before the last slot. */
  async #lookAt(slots: readonly number[], count: number): Promise<boolean> {
    const parts = slots.flatMap((slot) => partsOf(slot, Math.min(count, this.#tally.keysOf(slot))));
    for (const batch of batchesOf(parts)) {
      // Something is looked at in any case: of counts alone no size can be estimated.
      if (this.#tally.hasMeasured && this.#isTimeUp()) return false;
      for (const { slot, start } of batch) if (start === 0) this.#tally.begin(slot);
      const measures = await measureParts(this.#link, batch);
      for (const [index, { slot, keys, bytes }] of measures.entries()) {
        // What a slot has grown by meanwhile is not seen: the count says so.
        const isLast = (batch[index]?.end ?? 0) >= this.#tally.keysOf(slot);
        this.#tally.add(slot, { keys, bytes, isLast });
      }
      await this.#noteLargest(measures.flatMap(({ largest }) => largest ?? []));
    }
    return true;
  }

  /** Through all keys of the node, for the slots that have too many for a list. */
  async #scan(slots: ReadonlySet<number>): Promise<boolean> {
    if (slots.size === 0) return true;
    let cursor = '0';
    do {
      if (this.#isTimeUp()) return false;
      const page = await scanKeys(this.#link, cursor);
      await this.#measure(page.keys.filter((name) => slots.has(slotOfKey(name))));
      cursor = page.cursor;
    } while (cursor !== '0');
    return true;
  }

  /** Those of the unfinished that have not too many keys for a list; first the ones that a sample says least about. */
  #listable(slots: readonly number[]): number[] {
    const listable = this.#unfinished(slots).filter(
      (slot) => this.#tally.keysOf(slot) <= MANY_KEYS,
    );
    const odd = this.#tally.pickOdd(listable);
    return [...odd, ...listable.filter((slot) => !odd.has(slot))];
  }

  #unfinished(slots: readonly number[]): number[] {
    return slots.filter((slot) => !this.#tally.isWhole(slot));
  }

  async #measure(names: readonly Buffer[]): Promise<void> {
    const keys = await measureKeys(this.#link, names);
    for (const { name, bytes } of keys) this.#tally.add(slotOfKey(name), { keys: 1, bytes });
    await this.#noteLargest(keys);
  }

  async #noteLargest(keys: readonly MeasuredKey[]): Promise<void> {
    let largest: MeasuredKey | undefined;
    for (const key of keys) {
      if (key.bytes > (largest?.bytes ?? this.#tally.largestBytes)) largest = key;
    }
    if (largest === undefined) return;
    const type = await typeOf(this.#link, largest.name);
    // One that is gone already blocks nobody.
    if (type !== undefined) this.#tally.noteLargest({ ...largest, type });
  }

  #isTimeUp(): boolean {
    this.#signal.throwIfAborted();
    return performance.now() >= this.#deadlineTickMs;
  }
}

/** A fixed order in which neighbours are far apart: the factor is odd, so no two share a place. */
function placeOf(slot: number): number {
  return (slot * 7919) % SLOT_COUNT;
}

function slotsOf({ slots: ranges, budgetMs }: SurveyRequest): number[] {
  if (budgetMs < 100 || budgetMs > 60_000) {
    throw new RedroverError('invalid-argument', `budgetMs is ${budgetMs}, not 100 to 60000`);
  }
  const slots = new Set<number>();
  for (const { start, end } of ranges) {
    if (start < 0 || end < start || end >= SLOT_COUNT) {
      throw new RedroverError('invalid-argument', `${start}-${end} is not a range of slots`);
    }
    for (let slot = start; slot <= end; slot += 1) slots.add(slot);
  }
  return [...slots].sort((a, b) => a - b);
}

async function requireMaster(link: Link): Promise<void> {
  const reply = await link.call('asking its role', encode('ROLE'));
  const role = String((reply as readonly unknown[] | null)?.[0]);
  if (role === 'master') return;
  throw new RedroverError(
    'failed-precondition',
    `${link.key} is ${role === 'slave' ? 'a replica' : role}: ask the master of these slots`,
  );
}
