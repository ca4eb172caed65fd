import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import type { MoveStatus } from './move-task.ts';
import { TaskFiles } from './task-files.ts';

let directory: string;
let reader: TaskFiles;
let writer: TaskFiles;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'task-files-'));
  reader = new TaskFiles(directory);
  writer = new TaskFiles(directory);
});
afterEach(() => rm(directory, { recursive: true }));

const status = (slotsDone: number) => ({ progress: { slotsDone } }) as unknown as MoveStatus;

test('a file is read as it is now, however often it is replaced', async () => {
  expect(await reader.readStatus()).toBeUndefined();
  for (let slotsDone = 0; slotsDone < 50; slotsDone += 1) {
    await writer.writeStatus(status(slotsDone));
    expect(await reader.readStatus()).toEqual(status(slotsDone));
  }
  await rm(join(directory, 'status.json'));
  expect(await reader.readStatus()).toBeUndefined();
});

test('a file that is the same as before is not taken apart again', async () => {
  await writer.writeStatus(status(1));
  const first = await reader.readStatus();
  expect(await reader.readStatus()).toBe(first);
});

test('a broken file is none, and one that is whole again is read', async () => {
  await writeFile(join(directory, 'status.json'), '{"progress":');
  expect(await reader.readStatus()).toBeUndefined();
  await writer.writeStatus(status(2));
  expect(await reader.readStatus()).toEqual(status(2));
});
