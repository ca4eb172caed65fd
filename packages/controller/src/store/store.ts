/**
 * Everything that the controller must not forget, in one SQLite file: opening it, and one object
 * for each kind of thing in it. No SQL exists outside this folder.
 *
 * Large files (source archives, packed builds) are `blobs.ts`'s business.
 */
import { Kysely, SqliteDialect } from 'kysely';

import { BuildRecords } from './build-records.ts';
import { ClusterRecords } from './cluster-records.ts';
import { HostRecords } from './host-records.ts';
import { MetaRecords } from './meta-records.ts';
import { migrate } from './migrations.ts';
import { OperationRecords } from './operation-records.ts';
import { PlanRecords } from './plan-records.ts';
import { ReleaseRecords } from './release-records.ts';
import type { StoreDatabase, StoreTables } from './schema.ts';
import { openSqlite } from './sqlite.ts';

export class Store {
  readonly meta: MetaRecords;
  readonly hosts: HostRecords;
  readonly releases: ReleaseRecords;
  readonly builds: BuildRecords;
  readonly clusters: ClusterRecords;
  readonly plans: PlanRecords;
  readonly operations: OperationRecords;
  readonly #database: StoreDatabase;

  constructor(database: StoreDatabase) {
    this.#database = database;
    this.meta = new MetaRecords(database);
    this.hosts = new HostRecords(database);
    this.releases = new ReleaseRecords(database);
    this.builds = new BuildRecords(database);
    this.clusters = new ClusterRecords(database);
    this.plans = new PlanRecords(database);
    this.operations = new OperationRecords(database);
  }

  /** Closes the file; everything that was acknowledged is in it already. */
  async close(): Promise<void> {
    await this.#database.destroy();
  }
}

/** Opens the file, creating or upgrading it as needed. */
export function openStore(file: string): Store {
  const sqlite = openSqlite(file);
  try {
    migrate(sqlite);
  } catch (error) {
    sqlite.close();
    throw error;
  }
  return new Store(new Kysely<StoreTables>({ dialect: new SqliteDialect({ database: sqlite }) }));
}
