/**
 * An operation's attempts: in memory for the planner, written to the store in batches.
 *
 * Steps are idempotent: losing the last moments of a journal may repeat a step, never endanger
 * data. So no step waits for these writes; the end of the operation is written, and forced to the
 * disk, together with all that is left.
 */
import type { Attempt, ErrorCode, History, MoveReport } from '@redrover/core';
import type { Logger } from 'pino';

import type { AttemptRecord, OperationRecords } from '../store/operation-records.ts';
import { foldAttempts } from './fold-attempts.ts';

/** A creation of one second makes a few writes; a crash forgets this much at the most. */
const FLUSH_INTERVAL_MS = 200;

/** A line of a journal is for people; compilers write more than that. */
const MAX_MESSAGE_LENGTH = 1_000;

/**
 * Of each pair whose slots are moved, so many attempts are kept one by one, the newest; more than
 * the planner looks at to tell whether it still gets on. Those before them are summed up in one.
 */
const MAX_MOVES_KEPT = 20;

export interface Outcome {
  /** Undefined on success. */
  readonly errorCode: ErrorCode | undefined;
  readonly message: string;
  /** Of a `moveSlots`. */
  readonly move?: MoveReport | undefined;
}

/** An attempt and its place in the journal, which stays its own. */
export interface JournalEntry {
  readonly position: number;
  readonly attempt: Attempt;
}

export class Journal {
  readonly #operationId: string;
  readonly #records: OperationRecords;
  readonly #log: Logger;
  /** By position, in that order. */
  readonly #attempts: Map<number, Attempt>;
  #nextPosition: number;
  #dirty = new Set<number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    operationId: string,
    past: readonly JournalEntry[],
    options: { readonly records: OperationRecords; readonly log: Logger },
  ) {
    this.#operationId = operationId;
    this.#attempts = new Map(past.map(({ position, attempt }) => [position, attempt]));
    this.#nextPosition = 1 + (past.at(-1)?.position ?? -1);
    this.#records = options.records;
    this.#log = options.log;
  }

  /** Oldest first. Attempts that a dead controller left `running` stay so. */
  get history(): History {
    return [...this.#attempts.values()];
  }

  /** As `history`, with their positions. */
  get entries(): readonly JournalEntry[] {
    return [...this.#attempts].map(([position, attempt]) => ({ position, attempt }));
  }

  /** @returns the attempt's position, for `end`. */
  begin(stepKey: string): number {
    const position = this.#nextPosition;
    this.#nextPosition += 1;
    this.#attempts.set(position, {
      stepKey,
      startedAtMs: Date.now(),
      endedAtMs: undefined,
      outcome: 'running',
      errorCode: undefined,
      message: '',
      move: undefined,
    });
    this.#markDirty(position);
    return position;
  }

  end(position: number, { errorCode, message, move }: Outcome): void {
    const begun = this.at(position);
    this.#attempts.set(position, {
      ...begun,
      endedAtMs: Date.now(),
      outcome: errorCode === undefined ? 'ok' : 'failed',
      errorCode,
      message: message.slice(0, MAX_MESSAGE_LENGTH),
      move,
    });
    this.#markDirty(position);
    if (begun.stepKey.startsWith('moveSlots ')) this.#foldOldest(begun.stepKey);
  }

  /** One that has ended before anybody heard of it. */
  add(attempt: Attempt): number {
    const position = this.#nextPosition;
    this.#nextPosition += 1;
    const message = attempt.message.slice(0, MAX_MESSAGE_LENGTH);
    this.#attempts.set(position, { ...attempt, message });
    this.#markDirty(position);
    this.#foldOldest(attempt.stepKey);
    return position;
  }

  at(position: number): Attempt {
    const attempt = this.#attempts.get(position);
    if (attempt === undefined) throw new RangeError(`no attempt at ${position}`);
    return attempt;
  }

  /** What the store does not have yet; given back with `putBack` when writing it failed. */
  takeUnwritten(): AttemptRecord[] {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const positions = [...this.#dirty].sort((a, b) => a - b);
    this.#dirty = new Set();
    return positions.map((position) => ({
      operationId: this.#operationId,
      position,
      attempt: this.#attempts.get(position),
    }));
  }

  putBack(records: readonly AttemptRecord[]): void {
    for (const { position } of records) this.#markDirty(position);
  }

  async flush(): Promise<void> {
    const unwritten = this.takeUnwritten();
    if (unwritten.length === 0) return;
    try {
      await this.#records.appendJournal(unwritten);
    } catch (error) {
      this.#log.error({ err: error }, 'cannot write the journal; trying again');
      this.putBack(unwritten);
    }
  }

  #foldOldest(stepKey: string): void {
    const same = this.entries.filter(({ attempt }) => attempt.stepKey === stepKey);
    const spare = same.slice(0, Math.max(0, same.length - MAX_MOVES_KEPT));
    for (const [index, { position }] of spare.entries()) {
      const next = same[index + 1]?.position ?? position;
      this.#attempts.set(next, foldAttempts(this.at(position), this.at(next)));
      this.#attempts.delete(position);
      this.#markDirty(position);
      this.#markDirty(next);
    }
  }

  #markDirty(position: number): void {
    this.#dirty.add(position);
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_INTERVAL_MS);
  }
}
