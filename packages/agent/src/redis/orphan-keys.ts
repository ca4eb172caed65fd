/**
 * Counts the keys of a master in slots that it neither owns nor has open: no client can reach them. A promotion in the
 * middle of a move leaves such keys, as a promoted replica knows nothing of open slots.
 *
 * Counting asks for each such slot, some 15 ms of the server's time in all, so it is done when its slots have changed
 * and rest, and rarely else.
 */
import {
  countSlots,
  formatRanges,
  NO_ORPHAN_KEYS,
  normalizeRanges,
  RedroverError,
  SLOT_COUNT,
  type OrphanKeys,
  type SlotRange,
  type ViewNode,
} from '@redrover/core';
import { countKeysInRanges } from './count-keys.ts';
import type { NodeConnection } from './node-connection.ts';

/** Enough to see what they have in common. */
const MAX_NAMED = 64;
/** Somebody may leave keys behind between two readings that look alike. */
const COUNTED_AGAIN_MS = 60_000;
/** Where somebody waits for the answer. */
const ASKED_AGAIN_MS = 5_000;
/** Keys that are counted the same twice stay; a server that deletes what it gave away has fewer each time. */
const CONFIRMED_AFTER_MS = 1_000;
/** Keys that expire are fewer each time as well. */
const BELIEVED_AFTER_MS = 15_000;

interface Counted {
  readonly tickMs: number;
  /** Since when there were any. */
  readonly sinceTickMs: number;
  readonly found: OrphanKeys;
  readonly isConfirmed: boolean;
}

export interface OrphanQuestion {
  readonly myself: ViewNode | undefined;
  readonly isMaster: boolean;
  /** In all of its slots. */
  readonly keys: number;
  /** Somebody waits for the answer. */
  readonly fresh: boolean;
  /**
   * Redis from 8.4 says of slots that are not its own that they are empty (seen on 8.6.3; DBSIZE counts them): what its
   * slots do not account for is known, and not where it is.
   */
  readonly hidesOthers: boolean;
  readonly connection: Pick<NodeConnection, 'pipeline'>;
  readonly options: { readonly timeoutMs?: number };
}

export class OrphanKeyCount {
  readonly #now: () => number;
  #myself: ViewNode | undefined;
  #seen = '';
  #counted: Counted | undefined;

  /** @param now monotonic, in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Another process answers from now on. */
  forget(): void {
    this.#myself = undefined;
    this.#seen = '';
    this.#counted = undefined;
  }

  /** @returns undefined while that is not known: of a replica, or since its slots have changed. */
  async read(question: OrphanQuestion): Promise<OrphanKeys | undefined> {
    const { myself, isMaster, keys, fresh } = question;
    if (myself === undefined || !isMaster) {
      this.forget();
      return undefined;
    }
    const seen = myself === this.#myself ? this.#seen : describeSlots(myself);
    const isAtRest = seen === this.#seen;
    this.#myself = myself;
    this.#seen = seen;
    if (!isAtRest || keys === 0) {
      this.#counted = undefined;
      return keys === 0 ? NO_ORPHAN_KEYS : undefined;
    }
    try {
      if (this.#isDue(fresh)) await this.#count(question, myself);
    } catch {
      // What else the node has said is known all the same; it is counted when it has time.
      this.#counted = undefined;
    }
    return this.#counted?.isConfirmed === true ? this.#counted.found : undefined;
  }

  #isDue(fresh: boolean): boolean {
    if (this.#counted === undefined) return true;
    const { tickMs, isConfirmed } = this.#counted;
    const againMs = fresh ? ASKED_AGAIN_MS : COUNTED_AGAIN_MS;
    return this.#now() - tickMs >= (isConfirmed ? againMs : CONFIRMED_AFTER_MS);
  }

  async #count(question: OrphanQuestion, myself: ViewNode): Promise<void> {
    const tickMs = this.#now();
    const last = this.#counted;
    const found = question.hidesOthers
      ? await countUnaccounted(question, ownSlots(myself))
      : await countIn(question, foreignSlots(myself));
    const isSame = last !== undefined && sameKeys(last.found, found);
    const sinceTickMs = last === undefined || last.found.keys === 0 ? tickMs : last.sinceTickMs;
    const isConfirmed = found.keys === 0 || isSame || tickMs - sinceTickMs >= BELIEVED_AFTER_MS;
    this.#counted = { tickMs, sinceTickMs, found, isConfirmed };
  }
}

function describeSlots({ slots, migrating, importing }: ViewNode): string {
  const open = [...migrating, ...importing].map(({ slot, nodeId }) => `${slot} ${nodeId}`);
  return `${countSlots(slots)} ${formatRanges(slots)} ${open.join(',')}`;
}

/** What it imports counts as its own. */
function ownSlots({ slots, importing }: ViewNode): readonly SlotRange[] {
  return normalizeRanges([...slots, ...importing.map(({ slot }) => ({ start: slot, end: slot }))]);
}

function foreignSlots(myself: ViewNode): readonly SlotRange[] {
  const foreign: SlotRange[] = [];
  let next = 0;
  for (const { start, end } of ownSlots(myself)) {
    if (start > next) foreign.push({ start: next, end: start - 1 });
    next = end + 1;
  }
  if (next < SLOT_COUNT) foreign.push({ start: next, end: SLOT_COUNT - 1 });
  return foreign;
}

/** Clients write meanwhile: by the smaller of two totals none of theirs is taken for an orphan. */
async function countUnaccounted(question: OrphanQuestion, own: readonly SlotRange[]) {
  const before = await countAll(question);
  const { keys: accounted } = await countIn(question, own);
  const after = await countAll(question);
  return { ...NO_ORPHAN_KEYS, keys: Math.max(0, Math.min(before, after) - accounted) };
}

async function countAll({ connection, options }: OrphanQuestion): Promise<number> {
  const [reply] = await connection.pipeline([['DBSIZE']], options);
  if (reply instanceof RedroverError) throw reply;
  return Number(reply);
}

async function countIn(question: OrphanQuestion, slots: readonly SlotRange[]): Promise<OrphanKeys> {
  const found = await countKeysInRanges(question, slots);
  const keys = found.reduce((sum, each) => sum + each.keys, 0);
  return { keys, slotCount: found.length, slots: found.slice(0, MAX_NAMED) };
}

function sameKeys(a: OrphanKeys, b: OrphanKeys): boolean {
  return a.keys === b.keys && a.slotCount === b.slotCount;
}
