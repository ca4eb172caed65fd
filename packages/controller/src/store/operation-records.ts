/** Operations and their journals. */
import type { Attempt, Operation } from '@redrover/core';
import { sql, type Transaction } from 'kysely';

import type { AttemptTable, OperationTable, StoreDatabase, StoreTables } from './schema.ts';

export interface OperationRecord {
  readonly operation: Operation;
  readonly clusterId: string;
  /** It was asked to be cancelled, and winds down; its state is `running` until then. */
  readonly cancelling: boolean;
}

/** An attempt and its place in the operation's journal. */
export interface AttemptRecord {
  readonly operationId: string;
  readonly position: number;
  /** Undefined: it is kept no longer. */
  readonly attempt: Attempt | undefined;
}

/** Enough for people; everything is still found by id. */
const LIST_LIMIT = 500;

export class OperationRecords {
  readonly #database: StoreDatabase;

  constructor(database: StoreDatabase) {
    this.#database = database;
  }

  /** Newest first; of all clusters when no name is given. */
  async list(cluster: string): Promise<OperationRecord[]> {
    let query = this.#database.selectFrom('operation').selectAll();
    if (cluster !== '') query = query.where('cluster', '=', cluster);
    const rows = await query
      .orderBy('created_at_ms', 'desc')
      .orderBy('id', 'desc')
      .limit(LIST_LIMIT)
      .execute();
    return rows.map(toOperationRecord);
  }

  async listUnderWay(): Promise<OperationRecord[]> {
    const rows = await this.#database
      .selectFrom('operation')
      .selectAll()
      .where('state', 'in', ['running', 'paused'])
      .orderBy('created_at_ms')
      .execute();
    return rows.map(toOperationRecord);
  }

  async find(id: string): Promise<OperationRecord | undefined> {
    const query = this.#database.selectFrom('operation').selectAll().where('id', '=', id);
    const row = await query.executeTakeFirst();
    return row === undefined ? undefined : toOperationRecord(row);
  }

  /** Whether an operation of this kind on this cluster ever ended well. */
  async hasDone(clusterId: string, kind: Operation['kind']): Promise<boolean> {
    const row = await this.#database
      .selectFrom('operation')
      .select('id')
      .where('cluster_id', '=', clusterId)
      .where('kind', '=', kind)
      .where('state', '=', 'done')
      .executeTakeFirst();
    return row !== undefined;
  }

  /** The newest operation on a cluster, of whatever kind. */
  async findNewest(clusterId: string): Promise<Operation | undefined> {
    const row = await this.#database
      .selectFrom('operation')
      .selectAll()
      .where('cluster_id', '=', clusterId)
      .orderBy('created_at_ms', 'desc')
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row === undefined ? undefined : toOperationRecord(row).operation;
  }

  /** The newest repairs of a cluster, whoever began them, newest first. */
  async listRepairs(clusterId: string, limit: number): Promise<Operation[]> {
    const rows = await this.#database
      .selectFrom('operation')
      .selectAll()
      .where('cluster_id', '=', clusterId)
      .where('kind', '=', 'repair')
      .orderBy('created_at_ms', 'desc')
      .limit(limit)
      .execute();
    return rows.map((row) => toOperationRecord(row).operation);
  }

  async add(operation: Operation, clusterId: string): Promise<void> {
    await this.#database
      .transaction()
      .execute((transaction) => insertOperation(transaction, operation, clusterId));
  }

  /**
   * Writes the operation's new state together with what is left of its journal. A removal that is
   * done takes the cluster's record along, in the same transaction.
   */
  async update(record: OperationRecord, journal: readonly AttemptRecord[]): Promise<void> {
    const { operation, clusterId, cancelling } = record;
    await this.#database.transaction().execute(async (transaction) => {
      await saveAttempts(transaction, journal);
      await transaction
        .updateTable('operation')
        .set({
          state: operation.state,
          ended_at_ms: operation.endedAtMs ?? null,
          message: operation.message,
          cancelling: cancelling ? 1 : 0,
        })
        .where('id', '=', operation.id)
        .execute();
      if (operation.kind === 'remove' && operation.state === 'done') {
        // Its layouts and operations stay, as history.
        await transaction.deleteFrom('cluster').where('cluster_id', '=', clusterId).execute();
      }
    });
  }

  /** Writes another state while the operation is under way; @returns false if it has ended. */
  async change({ operation, cancelling }: OperationRecord): Promise<boolean> {
    const result = await this.#database
      .updateTable('operation')
      .set({ state: operation.state, message: operation.message, cancelling: cancelling ? 1 : 0 })
      .where('id', '=', operation.id)
      .where('state', 'in', ['running', 'paused'])
      .executeTakeFirst();
    return result.numUpdatedRows > 0n;
  }

  /**
   * Written, but not forced to the disk: a killed process loses nothing of it, a power cut the last
   * moments, which only repeats steps. A forced write can block the event loop for 20 ms.
   */
  async appendJournal(journal: readonly AttemptRecord[]): Promise<void> {
    await this.#database.connection().execute(async (connection) => {
      // Not allowed within a transaction (sqlite.org/pragma.html, "synchronous").
      await sql`PRAGMA synchronous = NORMAL`.execute(connection);
      try {
        await connection.transaction().execute((transaction) => saveAttempts(transaction, journal));
      } finally {
        await sql`PRAGMA synchronous = FULL`.execute(connection);
      }
    });
  }

  /** Oldest first. */
  async readJournal(operationId: string): Promise<Attempt[]> {
    const entries = await this.readJournalEntries(operationId);
    return entries.map(({ attempt }) => attempt);
  }

  /** Oldest first; there may be gaps between their positions. */
  async readJournalEntries(
    operationId: string,
  ): Promise<{ readonly position: number; readonly attempt: Attempt }[]> {
    const rows = await this.#database
      .selectFrom('attempt')
      .selectAll()
      .where('operation_id', '=', operationId)
      .orderBy('position')
      .execute();
    return rows.map((row) => ({ position: row.position, attempt: toAttempt(row) }));
  }
}

export async function insertOperation(
  transaction: Transaction<StoreTables>,
  operation: Operation,
  clusterId: string,
): Promise<void> {
  await transaction
    .insertInto('operation')
    .values({
      id: operation.id,
      cluster: operation.cluster,
      cluster_id: clusterId,
      kind: operation.kind,
      layout_number: operation.layoutNumber,
      state: operation.state,
      created_at_ms: operation.createdAtMs,
      ended_at_ms: operation.endedAtMs ?? null,
      message: operation.message,
      purge: operation.purge ? 1 : 0,
      reason: operation.reason,
      automatic: operation.automatic ? 1 : 0,
      move_json: JSON.stringify(operation.move),
      cancelling: 0,
    })
    .execute();
}

/** SQLite takes 32766 values in one statement (sqlite.org/limits.html); a row has ten. */
const ROWS_AT_ONCE = 1_000;

async function saveAttempts(
  transaction: Transaction<StoreTables>,
  journal: readonly AttemptRecord[],
): Promise<void> {
  for (const { operationId, position, attempt } of journal) {
    if (attempt !== undefined) continue;
    await transaction
      .deleteFrom('attempt')
      .where('operation_id', '=', operationId)
      .where('position', '=', position)
      .execute();
  }
  const kept = journal.flatMap(toAttemptRow);
  for (let from = 0; from < kept.length; from += ROWS_AT_ONCE) {
    const rows = kept.slice(from, from + ROWS_AT_ONCE);
    await transaction
      .insertInto('attempt')
      .values(rows)
      .onConflict((conflict) =>
        conflict.columns(['operation_id', 'position']).doUpdateSet((row) => ({
          started_at_ms: row.ref('excluded.started_at_ms'),
          ended_at_ms: row.ref('excluded.ended_at_ms'),
          outcome: row.ref('excluded.outcome'),
          error_code: row.ref('excluded.error_code'),
          message: row.ref('excluded.message'),
          move_json: row.ref('excluded.move_json'),
        })),
      )
      .execute();
  }
}

function toAttemptRow({ operationId, position, attempt }: AttemptRecord) {
  if (attempt === undefined) return [];
  return {
    operation_id: operationId,
    position,
    step_key: attempt.stepKey,
    started_at_ms: attempt.startedAtMs,
    ended_at_ms: attempt.endedAtMs ?? null,
    outcome: attempt.outcome,
    error_code: attempt.errorCode ?? null,
    message: attempt.message,
    move_json: attempt.move === undefined ? null : JSON.stringify(attempt.move),
  };
}

function toAttempt(row: Omit<AttemptTable, 'sequence'>): Attempt {
  return {
    stepKey: row.step_key,
    startedAtMs: row.started_at_ms,
    endedAtMs: row.ended_at_ms ?? undefined,
    outcome: row.outcome as Attempt['outcome'],
    errorCode: (row.error_code ?? undefined) as Attempt['errorCode'],
    message: row.message,
    move: row.move_json === null ? undefined : (JSON.parse(row.move_json) as Attempt['move']),
  };
}

function toOperationRecord(row: OperationTable): OperationRecord {
  return {
    clusterId: row.cluster_id,
    cancelling: row.cancelling === 1,
    operation: {
      id: row.id,
      cluster: row.cluster,
      kind: row.kind as Operation['kind'],
      layoutNumber: row.layout_number,
      state: row.state as Operation['state'],
      createdAtMs: row.created_at_ms,
      endedAtMs: row.ended_at_ms ?? undefined,
      message: row.message,
      purge: row.purge === 1,
      reason: row.reason,
      automatic: row.automatic === 1,
      move: JSON.parse(row.move_json) as Operation['move'],
    },
  };
}
