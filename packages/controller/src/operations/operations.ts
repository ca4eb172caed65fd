/**
 * All operations: those under way, each with its loop, and those that have ended, in the store.
 * One at a time for each cluster, which the store guarantees as well.
 */
import { EventEmitter } from 'node:events';

import {
  RedroverError,
  type Attempt,
  type Layout,
  type MoveReport,
  type Operation,
  type OperationState,
  type Release,
  type Waiting,
} from '@redrover/core';

import type { ClusterRecords } from '../store/cluster-records.ts';
import type { OperationRecord } from '../store/operation-records.ts';
import { Journal, type JournalEntry } from './journal.ts';
import { countQuarantined } from './moved-slots.ts';
import { OperationFeed, type OperationEvent, type Watch } from './operation-feed.ts';
import { OperationLoop, type LoopContext } from './operation-loop.ts';

export interface OperationsContext extends LoopContext {
  readonly clusters: ClusterRecords;
}

export interface OperationDetails {
  readonly operation: Operation;
  readonly attempts: readonly Attempt[];
  readonly waits: readonly Waiting[];
}

export interface OperationsEvents {
  /** It has ended, in whatever way. */
  end: [operation: Operation];
  /** Slots of the cluster were moved. */
  moved: [cluster: string, report: MoveReport];
}

export class Operations extends EventEmitter<OperationsEvents> {
  readonly #context: OperationsContext;
  readonly #loops = new Map<string, OperationLoop>();
  readonly #runs = new Set<Promise<void>>();
  #lastChange: Promise<unknown> = Promise.resolve();
  #isStopping = false;

  constructor(context: OperationsContext) {
    super();
    this.#context = context;
  }

  /** Enters the loops of all operations that were under way when the controller ended. */
  async resumeAll(): Promise<void> {
    const { records, clusters } = this.#context;
    for (const record of await records.listUnderWay()) {
      const { clusterId, operation } = record;
      const stored = await clusters.readLayout(clusterId, operation.layoutNumber);
      const past = await records.readJournalEntries(operation.id);
      await this.begin(record, stored, past);
    }
  }

  /** Enters the loop of an operation that is in the store. */
  async begin(
    record: OperationRecord,
    stored: { readonly layout: Layout; readonly release: Release },
    past: readonly JournalEntry[] = [],
  ): Promise<void> {
    const { clusters, log } = this.#context;
    const { id, cluster } = record.operation;
    const { clusterId } = record;
    const password = (await clusters.readPassword(cluster)) ?? '';
    const former = await clusters.listFormerNodes(clusterId, stored.layout.number);
    const loop = new OperationLoop(this.#context, {
      record,
      layout: stored.layout,
      release: stored.release,
      former,
      password,
      journal: new Journal(id, past, this.#context),
      onMoved: (report) => this.emit('moved', cluster, report),
    });
    this.#loops.set(id, loop);
    log.info({ operation: id, cluster, kind: record.operation.kind }, 'operation begins');
    const settled = loop.run().finally(() => {
      this.#runs.delete(settled);
      this.#loops.delete(id);
      if (loop.operation.endedAtMs !== undefined) this.emit('end', loop.operation);
    });
    this.#runs.add(settled);
  }

  /** The operation of the cluster that has not ended. */
  findUnderWay(cluster: string): Operation | undefined {
    const loops = [...this.#loops.values()];
    return loops.find((loop) => loop.operation.cluster === cluster)?.operation;
  }

  countUnderWay(): number {
    return this.#loops.size;
  }

  /** Slots that the newest operation on the cluster left to people, and that no later one has moved. */
  async countQuarantined(clusterId: string): Promise<number> {
    const newest = await this.#context.records.findNewest(clusterId);
    if (newest === undefined) return 0;
    const { operation, attempts } = await this.describe(newest.id);
    const isOpen = operation.endedAtMs === undefined || operation.state === 'needs-decision';
    return isOpen ? countQuarantined(attempts) : 0;
  }

  /** Newest first. */
  async list(cluster: string): Promise<Operation[]> {
    const records = await this.#context.records.list(cluster);
    return records.map(({ operation }) => this.#loops.get(operation.id)?.operation ?? operation);
  }

  async describe(id: string): Promise<OperationDetails> {
    const loop = this.#loops.get(id);
    if (loop !== undefined) {
      const { operation, waits } = loop;
      return { operation, waits, attempts: loop.journal.history };
    }
    const { operation } = await this.#find(id);
    return { operation, waits: [], attempts: await this.#context.records.readJournal(id) };
  }

  /** Everything so far, then live until the operation ends. */
  async watch(id: string): Promise<Watch> {
    const loop = this.#loops.get(id);
    if (loop !== undefined) return loop.watch();
    const { operation, attempts } = await this.describe(id);
    const past = attempts.map((attempt): OperationEvent => ({ kind: 'attempt', attempt }));
    const feed = new OperationFeed();
    const watch = feed.watch([...past, { kind: 'operation', operation }]);
    feed.end();
    return watch;
  }

  /** Steps under way end, slots stop moving; nothing is begun until it is resumed. */
  async pause(id: string): Promise<Operation> {
    return this.#change(id, 'running', (record) => withState(record, 'paused'));
  }

  async resume(id: string): Promise<Operation> {
    return this.#change(id, 'paused', (record) => withState(record, 'running'));
  }

  /** Stops begun steps and puts timing back that was lowered; then it is `cancelled`. */
  async cancel(id: string): Promise<Operation> {
    return this.#change(id, undefined, (record) => {
      const message = `cancelled; what was done so far stays: ${howToGoOn(record.operation)}`;
      const running = withState(record, 'running');
      return { ...running, cancelling: true, operation: { ...running.operation, message } };
    });
  }

  /** Leaves every loop; what is under way on the hosts goes on. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const loop of this.#loops.values()) loop.stop();
    await Promise.all(this.#runs);
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /**
   * One at a time: a change that is made from a record which another one is about to replace would
   * undo that one, a cancellation say.
   */
  #change(
    id: string,
    expected: OperationState | undefined,
    change: (record: OperationRecord) => OperationRecord,
  ): Promise<Operation> {
    const changed = this.#lastChange.then(() => this.#changeNow(id, expected, change));
    this.#lastChange = changed.catch(() => undefined);
    return changed;
  }

  /** Durable before it is in force, and before anybody hears of it. */
  async #changeNow(
    id: string,
    expected: OperationState | undefined,
    change: (record: OperationRecord) => OperationRecord,
  ): Promise<Operation> {
    const loop = this.#loops.get(id);
    const record = loop?.record ?? (await this.#find(id));
    const { state } = record.operation;
    const isUnderWay = state === 'running' || state === 'paused';
    if (loop === undefined || !isUnderWay || record.cancelling) {
      const is = record.cancelling ? 'being cancelled' : state;
      throw new RedroverError('failed-precondition', `operation ${id} is ${is} already`);
    }
    if (expected !== undefined && state !== expected) {
      throw new RedroverError('failed-precondition', `operation ${id} is ${state} already`);
    }
    const changed = change(record);
    if (!(await this.#context.records.change(changed))) {
      throw new RedroverError('failed-precondition', `operation ${id} has just ended`);
    }
    loop.adopt(changed);
    return changed.operation;
  }

  async #find(id: string): Promise<OperationRecord> {
    const record = await this.#context.records.find(id);
    if (record !== undefined) return record;
    throw new RedroverError(
      'not-found',
      `there is no operation ${id}; \`redrover op ls\` lists them`,
    );
  }
}

function howToGoOn({ kind, cluster }: Operation): string {
  switch (kind) {
    case 'create':
      return `applying it again would finish it, \`redrover cluster rm ${cluster}\` removes it`;
    case 'change':
    case 'repair':
      return `\`redrover cluster repair ${cluster}\` would finish it`;
    case 'remove':
      return `\`redrover cluster rm ${cluster}\` would go on with it`;
  }
}

function withState(record: OperationRecord, state: OperationState): OperationRecord {
  return { ...record, operation: { ...record.operation, state } };
}
