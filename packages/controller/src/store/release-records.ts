/** Releases that an operator added; the built-in catalogue is core's. */
import type { Release } from '@redrover/core';

import type { StoreDatabase } from './schema.ts';

export class ReleaseRecords {
  readonly #database: StoreDatabase;

  constructor(database: StoreDatabase) {
    this.#database = database;
  }

  async list(): Promise<Release[]> {
    const rows = await this.#database
      .selectFrom('release')
      .select('release_json')
      .orderBy('name')
      .execute();
    return rows.map((row) => JSON.parse(row.release_json));
  }

  async find(name: string): Promise<Release | undefined> {
    const row = await this.#database
      .selectFrom('release')
      .select('release_json')
      .where('name', '=', name)
      .executeTakeFirst();
    return row === undefined ? undefined : JSON.parse(row.release_json);
  }

  /** Adds the release, or replaces the one of the same name. */
  async save(release: Release, nowMs: number): Promise<void> {
    const columns = { release_json: JSON.stringify(release), added_at_ms: nowMs };
    await this.#database
      .insertInto('release')
      .values({ name: release.name, ...columns })
      .onConflict((conflict) => conflict.column('name').doUpdateSet(columns))
      .execute();
  }

  async remove(name: string): Promise<void> {
    await this.#database.deleteFrom('release').where('name', '=', name).execute();
  }
}
