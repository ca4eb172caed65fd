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

test('a purge that was cut off is finished by the next try, and keeps what others have there', async () => {
  const half = join(paths.trash, '.purged-c1-7001-1970-01-01T00-00-00.000Z');
  await mkdir(half, { recursive: true });
  await writeFile(join(half, 'redis.conf'), 'requirepass secret');
  await mkdir(join(paths.trash, 'c1-7001-1969-01-01T00-00-00.000Z'));
  expect(await removeNodeDirectory({ ...request, paths, purge: true })).toBeUndefined();
  expect(await readdir(paths.trash)).toEqual(['c1-7001-1969-01-01T00-00-00.000Z']);
});
