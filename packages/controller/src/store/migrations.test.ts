import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { migrate, MIGRATIONS, schemaVersionOf } from './migrations.ts';
import { openSqlite } from './sqlite.ts';
import { openStore } from './store.ts';

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'redrover-store-'));
  file = join(directory, 'controller.sqlite');
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function schemaOf(path: string): unknown[] {
  const database = openSqlite(path);
  const rows = database.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY name').all([]);
  database.close();
  return rows;
}

test('a new file has the newest schema, and is for its owner alone', async () => {
  const store = openStore(file);
  await store.close();
  const database = openSqlite(file);
  expect(schemaVersionOf(database)).toBe(MIGRATIONS.length);
  expect(database.prepare('PRAGMA journal_mode').all([])).toEqual([{ journal_mode: 'wal' }]);
  expect(database.prepare('PRAGMA synchronous').all([])).toEqual([{ synchronous: 2 }]);
  expect(database.prepare('PRAGMA foreign_keys').all([])).toEqual([{ foreign_keys: 1 }]);
  database.close();
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('a file of the first version becomes the newest one and keeps its rows', async () => {
  const old = openSqlite(file);
  migrate(old, 1);
  expect(schemaVersionOf(old)).toBe(1);
  old.execute(`
    INSERT INTO host VALUES ('h1', '127.0.0.1', '{"zone":"a"}', NULL, '[]', 17);
    INSERT INTO layout VALUES ('id-1', 1, 'c1', '{"cluster":"c1"}', '{"name":"redis-7.2.4"}', 5);
    INSERT INTO cluster VALUES ('c1', 'id-1', '{"name":"c1"}', 1, 'secret', 5);
    INSERT INTO plan VALUES ('f', 'c2', 'id-2', 5);
  `);
  old.close();
  const store = openStore(file);
  expect(await store.hosts.list()).toMatchObject([{ name: 'h1', labels: { zone: 'a' } }]);
  expect(await store.clusters.find('c1')).toMatchObject({ clusterId: 'id-1', createdAtMs: 5 });
  expect(await store.clusters.readPassword('c1')).toBe('secret');
  expect(await store.plans.newestClusterId('c2')).toBeUndefined();
  await store.close();
  const fresh = join(directory, 'fresh.sqlite');
  await openStore(fresh).close();
  expect(schemaOf(file)).toEqual(schemaOf(fresh));
});

test('what the second version stored gets what the third one added, and loses nothing', async () => {
  const old = openSqlite(file);
  migrate(old, 2);
  const layout = '{"cluster":"c1","number":1,"nodes":[{"key":"h1:6379"}]}';
  old.execute(`
    INSERT INTO layout VALUES ('id-1', 1, 'c1', '${layout}', '{"name":"redis-7.2.4"}', 5);
    INSERT INTO cluster VALUES ('c1', 'id-1', '{"name":"c1","shards":3}', 1, 'secret', 5);
    INSERT INTO plan VALUES ('f', 'c2', 'id-2', 5, '{"cluster":"c2"}');
    INSERT INTO operation
      VALUES ('op-1', 'c1', 'id-1', 'create', 1, 'running', 5, NULL, 'm', 1, 1);
    INSERT INTO attempt (operation_id, position, step_key, started_at_ms, outcome, message)
      VALUES ('op-1', 0, 'startNode h1:6379', 6, 'ok', '');
  `);
  old.close();
  const store = openStore(file);
  expect(await store.clusters.find('c1')).toMatchObject({
    spec: { name: 'c1', shards: 3, repair: 'manual', repairQuietMs: 300_000 },
    layout: { number: 1, nodes: [{ key: 'h1:6379' }], drainedHosts: [] },
  });
  expect(await store.plans.findLayout('f', 5)).toEqual({ cluster: 'c2', drainedHosts: [] });
  const [record] = await store.operations.listUnderWay();
  expect(record).toMatchObject({
    cancelling: true,
    operation: { id: 'op-1', kind: 'create', purge: true, reason: '', automatic: false },
  });
  expect(await store.operations.readJournal('op-1')).toHaveLength(1);
  await store.close();
});

test('a step that fails changes nothing', () => {
  const database = openSqlite(file);
  migrate(database, 1);
  // In the way of what the second step does.
  database.execute("ALTER TABLE plan ADD COLUMN layout_json TEXT NOT NULL DEFAULT 'x'");
  database.execute("INSERT INTO plan VALUES ('f', 'c2', 'id-2', 5, 'x')");
  expect(() => migrate(database)).toThrow(/duplicate column/);
  expect(schemaVersionOf(database)).toBe(1);
  expect(database.prepare('SELECT count(*) AS n FROM plan').all([])).toEqual([{ n: 1 }]);
  database.close();
});

test('a file of a newer program is left alone', () => {
  const database = openSqlite(file);
  database.execute(`PRAGMA user_version = ${MIGRATIONS.length + 1}`);
  database.close();
  expect(() => openStore(file)).toThrow(
    expect.objectContaining({
      code: 'failed-precondition',
      message: expect.stringMatching(/newer/),
    }),
  );
});
