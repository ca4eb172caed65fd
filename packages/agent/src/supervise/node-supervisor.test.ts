import type { NodePlan } from '@redrover/core';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { NodeRecords, type LastSeen, type NodeRecord } from '../nodes/node-record.ts';
import { nodePaths } from '../nodes/paths.ts';
import { NodeConnection } from '../redis/node-connection.ts';
import { CRASH_WINDOW_MS } from './crash-policy.ts';
import type { Launcher } from './launcher.ts';
import { NodeSupervisor } from './node-supervisor.ts';

let root: string;
let records: string;
let wallMs: number;
const children: ChildProcess[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'redrover-supervisor-'));
  records = join(root, 'records');
  await mkdir(join(root, '7001'));
  await mkdir(records);
  wallMs = Date.now();
});
afterEach(async () => {
  vi.useRealTimers();
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(root, { recursive: true });
});

/** Real processes, which only have to live and die here. */
const launcher: Launcher = {
  launch: async () => {
    const child = spawn('sleep', ['600'], { stdio: 'ignore' });
    children.push(child);
    await once(child, 'spawn');
    const exited = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
    return { pid: child.pid ?? 0, exited };
  },
};

const plan = {
  node: { key: 'h1:7001', address: '127.0.0.1', port: 7001 },
  version: '7.0.15',
  nodeTimeoutMs: 5_000,
} as NodePlan;

function supervise(): NodeSupervisor {
  const record: NodeRecord = {
    format: 1,
    key: 'h1:7001',
    port: 7001,
    cluster: 'c1',
    clusterId: 'id',
    layoutNumber: 1,
    planHash: '',
    plan,
    build: { id: '', server: '/bin/false' },
    password: 'secret',
    desired: 'prepared',
    process: undefined,
    lastSeen: undefined,
    cleanStop: false,
  };
  const connection = new NodeConnection({ ...plan.node, password: 'secret' });
  return new NodeSupervisor(record, nodePaths(root, 7001), connection, {
    records: new NodeRecords(records),
    recordsDirectory: records,
    launcher,
    user: undefined,
    now: () => wallMs,
    log: pino({ level: 'silent' }),
  });
}

/** Ticks as the agent does, until another process than that one is there. */
async function newProcess(node: NodeSupervisor, old: number | undefined): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (node.process === undefined || node.process.pid === old) {
    if (performance.now() > deadline) throw new Error(`no new process: ${node.describe().state}`);
    node.tick();
    await delay(20);
  }
}

test('a clock that is set back does not keep a crashed node from its restart', async () => {
  const node = supervise();
  await node.start();
  const pid = node.process?.pid;
  children[0]?.kill('SIGKILL');
  await once(children[0] as ChildProcess, 'exit');
  node.tick();
  wallMs -= 3_600_000;
  await newProcess(node, pid);
  expect(node.describe().restarts).toBe(1);
});

describe('a server that dies again and again', () => {
  /** Each time after more than the minute in which crashes count together. */
  async function dieFiveTimes(node: NodeSupervisor, loading: boolean): Promise<string> {
    vi.useFakeTimers({ toFake: ['performance'], now: performance.now() });
    await node.start();
    for (let death = 0; death < 5; death += 1) {
      await node.noteAnswer(true, { loading });
      vi.advanceTimersByTime(CRASH_WINDOW_MS + 1_000);
      const child = children.at(-1) as ChildProcess;
      child.kill('SIGKILL');
      await once(child, 'exit');
      node.tick();
      await node.queue.run(async () => {});
      if (death === 4) break;
      // Longer than any pause before the crash loop.
      vi.advanceTimersByTime(10_000);
      node.tick();
      await node.queue.run(async () => {});
    }
    return node.describe().state;
  }

  test('while it loads is in a crash loop, however long each try takes', async () => {
    expect(await dieFiveTimes(supervise(), true)).toBe('crash-loop');
  });

  test('after it has been up for a minute each time is not', async () => {
    expect(await dieFiveTimes(supervise(), false)).toBe('backoff');
  });
});

describe('while nothing can be written', () => {
  const seen: LastSeen = {
    nodeId: 'a',
    role: 'master',
    slots: [{ start: 0, end: 5 }],
    configEpoch: 1,
    aofWritten: false,
    replicas: [],
    peers: [],
  };
  const away = (): Promise<void> => rename(records, `${records}-away`);
  const back = (): Promise<void> => rename(`${records}-away`, records);
  const onDisk = async (): Promise<NodeRecord> =>
    JSON.parse(await readFile(join(records, '7001.json'), 'utf8')) as NodeRecord;

  test('what was seen is remembered, and written down as soon as it can be', async () => {
    const node = supervise();
    await node.start();
    await away();
    expect(await node.noteAnswer(true, { seen })).toBe(false);
    expect(node.record.lastSeen).toEqual(seen);
    await back();
    expect(await node.noteAnswer(true, { seen })).toBe(true);
    expect((await onDisk()).lastSeen).toEqual(seen);
  });

  test('a node that was not stopped is still one that shall run', async () => {
    const node = supervise();
    await node.start();
    const pid = node.process?.pid;
    await away();
    await expect(node.stop()).rejects.toMatchObject({ code: 'not-found' });
    await back();
    children[0]?.kill('SIGKILL');
    await once(children[0] as ChildProcess, 'exit');
    await newProcess(node, pid);
  });

  test('a server that crashed is started all the same, and counts as running', async () => {
    const node = supervise();
    await node.start();
    const pid = node.process?.pid;
    await away();
    children[0]?.kill('SIGKILL');
    await once(children[0] as ChildProcess, 'exit');
    await newProcess(node, pid);
    expect(node.describe().state).toBe('starting');
    await back();
    expect(await node.noteAnswer(true, { seen })).toBe(true);
    expect((await onDisk()).process?.pid).toBe(node.process?.pid);
  });
});

test('what was seen of a node while it was being prepared is not forgotten', async () => {
  const node = supervise();
  await node.start();
  const before = node.record;
  const seen = { nodeId: 'a', role: 'master', slots: [], configEpoch: 1 } as const;
  const whole = { ...seen, aofWritten: true, replicas: [], peers: [] };
  await node.noteAnswer(true, { seen: whole });
  await node.replaceRecord({ ...before, layoutNumber: 2 });
  expect(node.record).toMatchObject({ layoutNumber: 2, lastSeen: { nodeId: 'a' } });
});
