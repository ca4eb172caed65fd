/** Hosts that ever said hello: they are known, as lost ones, also when the controller comes back first. */
import type { HostFacts, InstalledBuild } from '@redrover/core';

import type { StoreDatabase } from './schema.ts';

export interface HostRecord {
  readonly name: string;
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly facts: HostFacts | undefined;
  readonly builds: readonly InstalledBuild[];
  readonly lastSeenMs: number;
}

export class HostRecords {
  readonly #database: StoreDatabase;

  constructor(database: StoreDatabase) {
    this.#database = database;
  }

  async list(): Promise<HostRecord[]> {
    const rows = await this.#database.selectFrom('host').selectAll().orderBy('name').execute();
    return rows.map((row) => ({
      name: row.name,
      address: row.address,
      labels: JSON.parse(row.labels_json),
      facts: row.facts_json === null ? undefined : JSON.parse(row.facts_json),
      builds: JSON.parse(row.builds_json),
      lastSeenMs: row.last_seen_ms,
    }));
  }

  async remove(name: string): Promise<void> {
    await this.#database.deleteFrom('host').where('name', '=', name).execute();
  }

  async save(host: HostRecord): Promise<void> {
    const columns = {
      address: host.address,
      labels_json: JSON.stringify(host.labels),
      facts_json: host.facts === undefined ? null : JSON.stringify(host.facts),
      builds_json: JSON.stringify(host.builds),
      last_seen_ms: host.lastSeenMs,
    };
    await this.#database
      .insertInto('host')
      .values({ name: host.name, ...columns })
      .onConflict((conflict) => conflict.column('name').doUpdateSet(columns))
      .execute();
  }
}
