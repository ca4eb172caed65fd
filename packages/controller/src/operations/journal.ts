/**
 * An operation's attempts: in memory for the planner, written to the store in batches.
 *
 * Steps are idempotent: losing the last moments of a journal may repeat a step, never endanger
 * data. So no step waits for these writes; the end of the operation is written, and forced to the
 * disk, together with all that is left.
 */
import type { Attempt, ErrorCode, History } from '@redrover/core';
import type { Logger } from 'pino';

import type { AttemptRecord, OperationRecords } from '../store/operation-records.ts';

/** A creation of one second makes a few writes; a crash forgets this much at the most. */
const FLUSH_INTERVAL_MS = 200;

/** A line of a journal is for people; compilers write more than that. */
const MAX_MESSAGE_LENGTH = 1_000;

export interface Outcome {
  /** Undefined on success. */
  readonly errorCode: ErrorCode | undefined;
  readonly message: string;
}

export class Journal {
  readonly #operationId: string;
  readonly #records: OperationRecords;
  readonly #log: Logger;
  readonly #attempts: Attempt[];
  #dirty = new Set<number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    operationId: string,
    past: readonly Attempt[],
    options: { readonly records: OperationRecords; readonly log: Logger },
  ) {
    this.#operationId = operationId;
    this.#attempts = [...past];
    this.#records = options.records;
    this.#log = options.log;
  }

  /** Oldest first. Attempts that a dead controller left `running` stay so. */
  get history(): History {
    return this.#attempts;
  }

  /** @returns the attempt's position, for `end`. */
  begin(stepKey: string): number {
    const position = this.#attempts.length;
    this.#attempts.push({
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

  end(position: number, { errorCode, message }: Outcome): void {
    const begun = this.at(position);
    this.#attempts[position] = {
      ...begun,
      endedAtMs: Date.now(),
      outcome: errorCode === undefined ? 'ok' : 'failed',
      errorCode,
      message: message.slice(0, MAX_MESSAGE_LENGTH),
    };
    this.#markDirty(position);
  }

  at(position: number): Attempt {
    const attempt = this.#attempts[position];
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
      attempt: this.at(position),
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

  #markDirty(position: number): void {
    this.#dirty.add(position);
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_INTERVAL_MS);
  }
}
