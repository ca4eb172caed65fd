/**
 * The schema's history: forward only, each step in one transaction, counted in `user_version`.
 *
 * A step that was released is never edited; a change is a new step at the end.
 */
import { RedroverError } from '@redrover/core';

import type { NodeSqliteDatabase } from './sqlite.ts';

export const MIGRATIONS: readonly string[] = [
  // 1: hosts, releases, builds, clusters, layouts, plans, operations and their journal.
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE host (
    name TEXT PRIMARY KEY, address TEXT NOT NULL, labels_json TEXT NOT NULL, facts_json TEXT,
    builds_json TEXT NOT NULL, last_seen_ms INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE release (
    name TEXT PRIMARY KEY, release_json TEXT NOT NULL, added_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE build (
    id TEXT PRIMARY KEY, release TEXT NOT NULL, platform TEXT NOT NULL, build_json TEXT NOT NULL,
    blob_sha256 TEXT NOT NULL, added_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE layout (
    cluster_id TEXT NOT NULL, number INTEGER NOT NULL, cluster TEXT NOT NULL,
    layout_json TEXT NOT NULL, release_json TEXT NOT NULL, accepted_at_ms INTEGER NOT NULL,
    PRIMARY KEY (cluster_id, number)
  ) STRICT;
  CREATE TABLE cluster (
    name TEXT PRIMARY KEY, cluster_id TEXT NOT NULL UNIQUE, spec_json TEXT NOT NULL,
    layout_number INTEGER NOT NULL, password TEXT NOT NULL, created_at_ms INTEGER NOT NULL,
    FOREIGN KEY (cluster_id, layout_number) REFERENCES layout (cluster_id, number)
  ) STRICT;
  CREATE TABLE plan (
    fingerprint TEXT PRIMARY KEY, cluster TEXT NOT NULL, cluster_id TEXT NOT NULL,
    planned_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX plan_by_cluster ON plan (cluster, planned_at_ms);
  CREATE TABLE operation (
    id TEXT PRIMARY KEY, cluster TEXT NOT NULL, cluster_id TEXT NOT NULL, kind TEXT NOT NULL,
    layout_number INTEGER NOT NULL, state TEXT NOT NULL, created_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER, message TEXT NOT NULL, purge INTEGER NOT NULL,
    cancelling INTEGER NOT NULL,
    FOREIGN KEY (cluster_id, layout_number) REFERENCES layout (cluster_id, number)
  ) STRICT;
  CREATE INDEX operation_by_cluster ON operation (cluster, created_at_ms);
  -- One operation at a time for each cluster, whatever the program does.
  CREATE UNIQUE INDEX operation_under_way ON operation (cluster_id)
    WHERE state IN ('running', 'paused');
  CREATE TABLE attempt (
    sequence INTEGER PRIMARY KEY, operation_id TEXT NOT NULL REFERENCES operation (id),
    position INTEGER NOT NULL, step_key TEXT NOT NULL, started_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER, outcome TEXT NOT NULL, error_code TEXT, message TEXT NOT NULL,
    UNIQUE (operation_id, position)
  ) STRICT;
  `,
  // 2: a plan keeps its layout: what a person approved is what is applied. Plans are short-lived,
  // so those without one are dropped.
  `
  DELETE FROM plan;
  ALTER TABLE plan ADD COLUMN layout_json TEXT NOT NULL DEFAULT '{}';
  `,
  // 3: what an operation is for, and whether a person began it; layouts know drained hosts, and
  // specs whether drift is repaired without asking.
  `
  ALTER TABLE operation ADD COLUMN reason TEXT NOT NULL DEFAULT '';
  ALTER TABLE operation ADD COLUMN automatic INTEGER NOT NULL DEFAULT 0;
  UPDATE layout SET layout_json = json_insert(layout_json, '$.drainedHosts', json('[]'));
  UPDATE plan SET layout_json = json_insert(layout_json, '$.drainedHosts', json('[]'));
  UPDATE cluster SET spec_json =
    json_insert(spec_json, '$.repair', 'manual', '$.repairQuietMs', 300000);
  `,
  // 4: how an operation moves slots, and what each of its attempts moved.
  `
  ALTER TABLE operation ADD COLUMN move_json TEXT NOT NULL DEFAULT
    '{"engine":"auto","pace":"gentle","maxLatencyMs":0,"rateBytesPerS":0,"maxKeyBytes":0}';
  ALTER TABLE attempt ADD COLUMN move_json TEXT;
  `,
];

/**
 * Brings the file to the newest schema, or to `target` (for tests of later steps).
 *
 * @throws RedroverError `failed-precondition` for a file of a newer program.
 */
export function migrate(database: NodeSqliteDatabase, target = MIGRATIONS.length): void {
  const present = schemaVersionOf(database);
  if (present > MIGRATIONS.length) {
    throw new RedroverError(
      'failed-precondition',
      `the data directory has schema ${present}, and this redrover-controller knows ` +
        `${MIGRATIONS.length} at the most; start the newer version that wrote it`,
    );
  }
  for (let version = present; version < target; version += 1) {
    database.execute('BEGIN IMMEDIATE');
    try {
      database.execute(MIGRATIONS[version] ?? '');
      database.execute(`PRAGMA user_version = ${version + 1}`);
      database.execute('COMMIT');
    } catch (error) {
      database.execute('ROLLBACK');
      throw error;
    }
  }
}

export function schemaVersionOf(database: NodeSqliteDatabase): number {
  const [row] = database.prepare('PRAGMA user_version').all([]) as { user_version: number }[];
  return row?.user_version ?? 0;
}
