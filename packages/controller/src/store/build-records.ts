/** Builds whose packed binaries the controller holds as a blob, for the other hosts of a platform. */
import type { Build } from '@redrover/core';

import type { StoreDatabase } from './schema.ts';

export interface BuildRecord {
  readonly build: Build;
  readonly blobSha256: string;
}

export class BuildRecords {
  readonly #database: StoreDatabase;

  constructor(database: StoreDatabase) {
    this.#database = database;
  }

  async list(): Promise<BuildRecord[]> {
    const rows = await this.#database.selectFrom('build').selectAll().orderBy('id').execute();
    return rows.map((row) => ({
      build: JSON.parse(row.build_json),
      blobSha256: row.blob_sha256,
    }));
  }

  /** Adds the build, or replaces the one with the same id: equal ids are interchangeable. */
  async save({ build, blobSha256 }: BuildRecord, nowMs: number): Promise<void> {
    const columns = {
      release: build.release,
      platform: build.platform,
      build_json: JSON.stringify(build),
      blob_sha256: blobSha256,
      added_at_ms: nowMs,
    };
    await this.#database
      .insertInto('build')
      .values({ id: build.id, ...columns })
      .onConflict((conflict) => conflict.column('id').doUpdateSet(columns))
      .execute();
  }

  async removeOfRelease(release: string): Promise<void> {
    await this.#database.deleteFrom('build').where('release', '=', release).execute();
  }
}
