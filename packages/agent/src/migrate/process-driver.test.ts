/** A mover that starts later than anybody waits for it. */
import { DEFAULT_MOVE_OPTIONS } from '@redrover/core';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { MoveTask } from './move-task.ts';
import { ProcessDriver } from './process-driver.ts';
import { TaskFiles } from './task-files.ts';

const START_TIMEOUT_MS = 300;
const DEADLINE_MS = 20_000;

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'redrover-driver-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const end = (node: string) => ({ node, nodeId: node, address: '127.0.0.1', port: 1 });

const task: MoveTask = {
  format: 1,
  id: 'task',
  cluster: 'c',
  operationId: 'o',
  createdAtMs: 0,
  step: {
    kind: 'moveSlots',
    host: 'h1',
    node: 'a',
    engine: 'migrate',
    source: end('a'),
    target: end('b'),
    slots: [{ start: 0, end: 0 }],
    sourceReplicas: [],
    targetReplicas: [],
    otherMasters: [],
    nodeTimeoutMs: 2_000,
    options: { ...DEFAULT_MOVE_OPTIONS, engine: 'migrate' },
  },
};

it(
  'has been given up by then, finds that out, and ends without doing anything',
  async () => {
    const [gate, program, record] = ['gate', 'program', 'record.json'].map((name) =>
      join(directory, name),
    ) as [string, string, string];
    execFileSync('mkfifo', [gate]);
    const lines = [
      '#!/bin/sh',
      `read line < ${gate}`,
      `${process.execPath} "$@"`,
      `echo $? > ${gate}.end`,
    ];
    writeFileSync(program, `${lines.join('\n')}\n`, { mode: 0o700 });
    writeFileSync(record, JSON.stringify({ password: '' }));
    const files = new TaskFiles(join(directory, task.id));
    await mkdir(files.directory);
    await files.writeTask(task);
    const driver = new ProcessDriver({
      directory,
      command: [program, join(import.meta.dirname, 'mover', 'main.ts')],
      recordOf: () => record,
      startTimeoutMs: START_TIMEOUT_MS,
    });
    const given = await driver.run(task, {
      isResumed: false,
      stop: new AbortController().signal,
      detach: new AbortController().signal,
      password: '',
      orderStop: () => Promise.resolve(),
      publish: () => {},
      readMemo: () => '',
      writeMemo: () => Promise.resolve(),
    });
    expect(given).toMatchObject({ ending: 'failed', error: { code: 'unavailable' } });
    writeFileSync(gate, 'go\n');
    const deadline = performance.now() + DEADLINE_MS;
    while (!existsSync(`${gate}.end`)) {
      expect(performance.now()).toBeLessThan(deadline);
      await delay(20);
    }
    expect(readFileSync(`${gate}.end`, 'utf8')).toBe('0\n');
    // It was at work: it said who it is, and left the outcome as it was.
    expect(await files.readProcess()).toBeDefined();
    expect(await files.readStatus()).toBeUndefined();
    expect(await files.readOutcome()).toEqual(given);
  },
  2 * DEADLINE_MS,
);
