/** A node's record in memory and on disk. Whose turn it is to change it is the supervisor's business. */
import type { DesiredState, NodeRecord, NodeRecords } from '../nodes/node-record.ts';
import type { Logger } from 'pino';
import { SerialQueue } from './serial-queue.ts';

export class KeptRecord {
  readonly #records: NodeRecords;
  readonly #saves = new SerialQueue();
  #current: NodeRecord;
  #unsaved = false;
  #saidUnsaved = false;

  constructor(records: NodeRecords, current: NodeRecord) {
    this.#records = records;
    this.#current = current;
  }

  get current(): NodeRecord {
    return this.#current;
  }

  /** What is on disk is older than what is known here: a save failed, or is under way. */
  get unsaved(): boolean {
    return this.#unsaved;
  }

  /** The change counts here also when it cannot be written: it has happened. */
  async save(change: Partial<NodeRecord>): Promise<void> {
    this.#current = { ...this.#current, ...change };
    this.#unsaved = true;
    // One write at a time, each of what is true by then: an older one never lands last.
    await this.#saves.run(async () => {
      const record = this.#current;
      await this.#records.save(record);
      this.#unsaved = record !== this.#current;
    });
  }

  /** Like `save`; false when it cannot be written now, which is tried again with the next one. */
  async trySave(change: Partial<NodeRecord>, log: Logger): Promise<boolean> {
    try {
      await this.save(change);
      this.#saidUnsaved = false;
      return true;
    } catch (thrown) {
      // Each second it is tried again; saying it once is enough, on a disk that may be full of logs.
      const level = this.#saidUnsaved ? 'debug' : 'warn';
      this.#saidUnsaved = true;
      log[level](
        { err: thrown, node: this.#current.key },
        'cannot write down a record; trying again',
      );
      return false;
    }
  }

  /** A wish counts once it is on disk: otherwise it is refused, and the old one stands. */
  async want(desired: DesiredState): Promise<void> {
    const before = this.#current.desired;
    try {
      await this.save({ desired });
    } catch (thrown) {
      this.#current = { ...this.#current, desired: before };
      throw thrown;
    }
  }

  /** Like a wish: what cannot be written does not come into force. */
  async replace(record: NodeRecord): Promise<void> {
    await this.#saves.run(() => this.#records.save(record));
    this.#current = record;
    this.#unsaved = false;
  }
}
