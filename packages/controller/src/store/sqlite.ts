/**
 * Lets Kysely's SQLite dialect work with Node's own `node:sqlite`, and translates SQLite's errors.
 *
 * What is stored belongs to the files beside this one.
 */
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';

import { RedroverError, type ErrorCode } from '@redrover/core';
import type { SqliteDatabase, SqliteStatement } from 'kysely';

/**
 * Kysely compiles the same few dozen statements again and again; preparing one costs about as
 * much as running it. More than this many distinct texts would be a query built from values.
 */
const STATEMENT_CACHE_SIZE = 200;

/** A slow `sqlite3` shell of an operator may hold the file for a moment; longer is a defect. */
const BUSY_TIMEOUT_MS = 2_000;

/** SQLite's primary result codes (sqlite.org/rescode.html) that mean something to a caller. */
const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

const CODE_BY_RESULT: ReadonlyMap<number, ErrorCode> = new Map([
  [SQLITE_BUSY, 'unavailable'],
  [SQLITE_READONLY, 'permission-denied'],
  [SQLITE_IOERR, 'unavailable'],
  [SQLITE_CORRUPT, 'integrity'],
  [SQLITE_FULL, 'resource-exhausted'],
  [SQLITE_CANTOPEN, 'permission-denied'],
  [SQLITE_NOTADB, 'integrity'],
]);

/** Opens (or creates) the file so that what was committed survives a crash and a power cut. */
export function openSqlite(file: string): NodeSqliteDatabase {
  try {
    // It holds passwords; SQLite gives its own side files the mode of the database.
    closeSync(openSync(file, 'a', 0o600));
    const database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
    database.exec('PRAGMA journal_mode = WAL');
    // With WAL, NORMAL may lose the last commits in a power cut: an acknowledged request would be
    // gone (sqlite.org/pragma.html, "synchronous").
    database.exec('PRAGMA synchronous = FULL');
    database.exec('PRAGMA foreign_keys = ON');
    return new NodeSqliteDatabase(database, file);
  } catch (error) {
    throw translateSqliteError(error, file);
  }
}

export class NodeSqliteDatabase implements SqliteDatabase {
  readonly #database: DatabaseSync;
  readonly #file: string;
  readonly #statements = new Map<string, SqliteStatement>();

  constructor(database: DatabaseSync, file: string) {
    this.#database = database;
    this.#file = file;
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  /** For schema changes, which are several statements in one text. */
  execute(sql: string): void {
    this.#guard(() => this.#database.exec(sql));
  }

  prepare(sql: string): SqliteStatement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const prepared = this.#guard(() => this.#database.prepare(sql));
    const statement = this.#adapt(prepared);
    if (this.#statements.size >= STATEMENT_CACHE_SIZE) this.#statements.clear();
    this.#statements.set(sql, statement);
    return statement;
  }

  #adapt(statement: StatementSync): SqliteStatement {
    return {
      reader: statement.columns().length > 0,
      all: (parameters) => this.#guard(() => statement.all(...toInput(parameters))),
      run: (parameters) => this.#guard(() => statement.run(...toInput(parameters))),
      iterate: (parameters) => this.#guard(() => statement.iterate(...toInput(parameters))),
    };
  }

  #guard<Result>(action: () => Result): Result {
    try {
      return action();
    } catch (error) {
      throw translateSqliteError(error, this.#file);
    }
  }
}

function toInput(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters.map((value) => (typeof value === 'boolean' ? Number(value) : value)) as never;
}

function translateSqliteError(error: unknown, file: string): RedroverError {
  if (error instanceof RedroverError) return error;
  const { errcode: result, code: errno } = error as { errcode?: number; code?: string };
  if (errno === 'EACCES' || errno === 'EROFS') {
    return new RedroverError('permission-denied', describe('permission-denied', file), {
      cause: error,
    });
  }
  // The low byte is the primary code; the rest refines it.
  const code = result === undefined ? undefined : CODE_BY_RESULT.get(result & 0xff);
  const reason = error instanceof Error ? error.message : String(error);
  if (code === undefined) {
    return new RedroverError('internal', `the database ${file} failed: ${reason}`, {
      cause: error,
    });
  }
  return new RedroverError(code, `${describe(code, file)} (SQLite: ${reason})`, {
    context: { file },
    cause: error,
  });
}

function describe(code: ErrorCode, file: string): string {
  switch (code) {
    case 'resource-exhausted':
      return `no space left to write ${file}; free some on its file system and try again`;
    case 'permission-denied':
      return `cannot open or write ${file}; check its owner, mode and file system`;
    case 'integrity':
      return `${file} is damaged or not a database; restore a backup of the data directory`;
    default:
      return `cannot read or write ${file} now; look at its disk, then try again`;
  }
}
