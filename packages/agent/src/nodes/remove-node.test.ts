import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { agentPaths, type AgentPaths } from './paths.ts';
import { removeNodeDirectory } from './remove-node.ts';

let paths: AgentPaths;
beforeEach(async () => {
  paths = agentPaths(await mkdtemp(join(tmpdir(), 'redrover-trash-')));
});
afterEach(() => rm(paths.root, { recursive: true }));

const request = { port: 7001, cluster: 'c1', clusterId: 'id', now: 0 };

const MARKER = {
  format: 1,
  cluster: 'c2',
  clusterId: 'id',
  layoutNumber: 1,
  planHash: '',
  build: { id: '', server: '' },
  plan: { node: { key: 'h1:7001' } },
};

test('a purge that was cut off is finished by the next try, and keeps what others have there', async () => {
  const half = join(paths.trash, '.purged-c1-7001-1970-01-01T00-00-00.000Z');
  await mkdir(half, { recursive: true });
  await writeFile(join(half, 'redis.conf'), 'requirepass secret');
  await mkdir(join(paths.trash, 'c1-7001-1969-01-01T00-00-00.000Z'));
  expect(await removeNodeDirectory({ ...request, paths, purge: true })).toEqual({ kind: 'none' });
  expect(await readdir(paths.trash)).toEqual(['c1-7001-1969-01-01T00-00-00.000Z']);
});

test('a directory without its marker is moved away, and never deleted', async () => {
  await mkdir(join(paths.root, '7001'));
  await writeFile(join(paths.root, '7001/redis.log'), 'written by a server after it was emptied');
  const removal = await removeNodeDirectory({ ...request, paths, purge: true });
  expect(removal).toEqual({
    kind: 'kept',
    path: join(paths.trash, 'c1-7001-1970-01-01T00-00-00.000Z'),
  });
  expect(await readdir(join(paths.root, 'trash/c1-7001-1970-01-01T00-00-00.000Z'))).toEqual([
    'redis.log',
  ]);
});

test('an empty directory leaves nothing', async () => {
  await mkdir(join(paths.root, '7001'));
  expect(await removeNodeDirectory({ ...request, paths, purge: false })).toEqual({ kind: 'none' });
  expect(await readdir(paths.trash)).toEqual([]);
});

test('the directory of another cluster is not touched', async () => {
  await mkdir(join(paths.root, '7001'));
  const other = { ...MARKER, clusterId: 'other' };
  await writeFile(join(paths.root, '7001/redrover.json'), JSON.stringify(other));
  const removing = removeNodeDirectory({ ...request, paths, purge: false });
  await expect(removing).rejects.toMatchObject({ code: 'failed-precondition' });
  expect(await readdir(join(paths.root, '7001'))).toEqual(['redrover.json']);
});
