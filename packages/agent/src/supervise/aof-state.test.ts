import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { readAofState } from './aof-state.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'redrover-aof-'));
});
afterEach(() => rm(directory, { recursive: true }));

const MANIFEST =
  'file appendonly.aof.1.base.rdb seq 1 type b\n' +
  'file appendonly.aof.0.incr.aof seq 0 type h\n' +
  'file appendonly.aof.1.incr.aof seq 1 type i\n';

async function writeParts(files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(join(directory, 'appendonlydir'));
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(directory, 'appendonlydir', name), text);
  }
}

test('since 7.0 the files of the manifest count, but for history, and increments may be empty', async () => {
  await writeParts({
    'appendonly.aof.manifest': MANIFEST,
    'appendonly.aof.1.base.rdb': 'REDIS',
    'appendonly.aof.1.incr.aof': '',
  });
  expect(await readAofState(directory, '7.0.15')).toEqual({ complete: true, problem: '' });
});

test('a base that is missing or empty, or no manifest, is named', async () => {
  expect((await readAofState(directory, '7.0.15')).problem).toBe(
    'appendonly.aof.manifest is missing',
  );
  await writeParts({ 'appendonly.aof.manifest': MANIFEST, 'appendonly.aof.1.incr.aof': '' });
  expect((await readAofState(directory, '7.0.15')).problem).toBe(
    'appendonly.aof.1.base.rdb is missing',
  );
  await writeFile(join(directory, 'appendonlydir/appendonly.aof.1.base.rdb'), '');
  expect((await readAofState(directory, '7.0.15')).problem).toBe(
    'appendonly.aof.1.base.rdb is empty',
  );
});

test('before 7.0 it is one file', async () => {
  expect(await readAofState(directory, '6.2.14')).toMatchObject({ complete: false });
  await writeFile(join(directory, 'appendonly.aof'), '*2\r\n');
  expect(await readAofState(directory, '6.2.14')).toMatchObject({ complete: true });
});
