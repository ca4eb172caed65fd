/** Movers are stopped, killed, left alone and found again; the slots are whole at any time. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { until } from '../../support/until.ts';
import { askWitness } from '../../support/witness.ts';
import { AgentHarness, PASSWORD } from './agent-harness.ts';
import { createCluster } from './cluster.ts';
import { LiveWriter } from './live-writer.ts';
import { ended, MovingCluster, type MoveRequest } from './moving-cluster.ts';

const MASTERS = [7001, 7002, 7003];
/** Slots 67, 92, 98, 40 and 0. */
const TAGS = ['7g', '8f', 'bl', 'cv', '1bz'];

let harness: AgentHarness;
let cluster: MovingCluster;
let writer: LiveWriter | undefined;

beforeEach(async () => {
  harness = await AgentHarness.start();
  await createCluster(harness, { masters: MASTERS, replicas: {} });
  cluster = new MovingCluster(harness, MASTERS);
});
afterEach(async () => {
  writer?.disconnect();
  writer = undefined;
  cluster?.close();
  await harness?.stop();
});

/** Some seconds' work: a fifth of the keys a second. */
const SLOWLY = { pace: 'gentle', rateBytesPerS: 200_000 } as const;

function request(change: Partial<MoveRequest> = {}): MoveRequest {
  const slots = [{ start: 0, end: 99 }];
  return { engine: 'migrate', source: 7001, target: 7002, slots, options: SLOWLY, ...change };
}

/** Of the one mover at work, once it has moved some keys. */
async function underWay(former = ''): Promise<{ readonly id: string; readonly pid: number }> {
  const beat = await harness.controller.heartbeat(
    'a mover',
    ({ movers }) => movers.length === 1 && movers[0]?.id !== former,
  );
  const id = beat.movers[0]?.id ?? '';
  await until('keys to be moved', () => {
    const status = read<MoveStatus>(id, 'status');
    return (status?.progress.keysDone ?? 0) > 0;
  });
  return { id, pid: read<{ pid: number }>(id, 'process')?.pid ?? 0 };
}

interface MoveStatus {
  readonly progress: { readonly keysDone: number };
}

interface Orders {
  readonly lease: { readonly untilMs: number };
}

/** A file of a task; undefined if there is none yet. */
function read<T>(id: string, name: string, absent?: T): T | undefined {
  try {
    return JSON.parse(readFileSync(join(tasks(), id, `${name}.json`), 'utf8')) as T;
  } catch {
    return absent;
  }
}

function tasks(): string {
  return join(harness.root, 'agent', 'movers');
}

function startWriter(): LiveWriter {
  writer = new LiveWriter({ address: harness.address, port: 7003, password: PASSWORD });
  return writer;
}

async function expectClosed(): Promise<void> {
  for (const port of [7001, 7002]) {
    expect(String(await cluster.client(port).call('CLUSTER', 'NODES'))).not.toContain('[');
  }
  await cluster.untilAgreed();
}

async function expectFinished(): Promise<void> {
  const { error } = await cluster.move(request({ options: { pace: 'fast' } }));
  expect(error).toBeUndefined();
  expect(await cluster.slotsOf(7002)).toBe(5_462 + 100);
  await expectClosed();
  const verdict = await askWitness({ address: harness.address, port: 7003, password: PASSWORD });
  expect(verdict, verdict.text).toMatchObject({ ok: true, slotsCovered: 16_384 });
}

test('a cancelled move leaves nothing open and says what it did', async () => {
  await cluster.fill(7001, 5_000, { tags: TAGS });
  const live = startWriter();
  const { id, result } = await cluster.begin(request());
  await underWay();
  await harness.controller.cancel(id);
  const { report, error } = ended(await result);
  expect(error, error?.message).toMatchObject({ code: 'cancelled' });
  expect(report?.keysMoved).toBeGreaterThan(0);
  await expectClosed();
  await harness.controller.heartbeat('no mover', ({ movers }) => movers.length === 0);
  await expectFinished();
  expect(await live.lost()).toEqual([]);
  expect((await cluster.keys(7001)) + (await cluster.keys(7002))).toBeGreaterThanOrEqual(5_000);
});

test('a pause ends what is half way and begins nothing else', async () => {
  await cluster.fill(7001, 5_000, { tags: await ownTags() });
  const slots = [{ start: 0, end: 5_460 }];
  const sent = await cluster.begin(request({ slots, options: { pace: 'gentle' } }));
  await underWay();
  await harness.controller.step({ kind: 'stopMoves', host: 'h1' });
  expect(ended(await sent.result).error).toMatchObject({ code: 'cancelled' });
  await expectClosed();
  expect(await cluster.slotsOf(7001)).toBeGreaterThan(0);
});

test('a mover that is killed is noticed, and the next one goes on', async () => {
  await cluster.fill(7001, 20_000, { tags: TAGS });
  const live = startWriter();
  let former = '';
  for (let round = 0; round < 5; round += 1) {
    const { result } = await cluster.begin(request());
    const { pid, id } = await underWay(former);
    former = id;
    process.kill(pid, 'SIGKILL');
    const { error, report } = ended(await result);
    expect(error).toMatchObject({ code: 'unavailable' });
    expect(report).toBeDefined();
  }
  await expectFinished();
  expect(await live.lost()).toEqual([]);
});

test('a mover outlives its agent, and the next agent is attached to it', async () => {
  await cluster.fill(7001, 5_000, { tags: TAGS });
  await cluster.begin(request());
  const before = await underWay();
  await harness.killAgent();
  const arrived = await cluster.keys(7002);
  await until('keys to arrive without an agent', async () => (await cluster.keys(7002)) > arrived);
  await harness.startAgent();
  const after = await underWay();
  expect(after).toEqual(before);
  const { error, report } = await cluster.move(request());
  expect(error).toBeUndefined();
  expect(report).toMatchObject({ keysMoved: 5_000, slotsMoved: 100 });
  await expectFinished();
});

test('an agent that ends in peace leaves its mover at work as well', async () => {
  await cluster.fill(7001, 5_000, { tags: TAGS });
  await cluster.begin(request());
  const before = await underWay();
  await harness.killAgent('SIGTERM');
  expect(() => process.kill(before.pid, 0)).not.toThrow();
  await harness.startAgent();
  expect(await underWay()).toEqual(before);
});

test('a mover whose lease lapses closes what it has open and ends', async () => {
  await cluster.fill(7001, 5_000, { tags: TAGS });
  await cluster.begin(request());
  const { id } = await underWay();
  // While the agent is away, nobody renews.
  await harness.killAgent();
  const orders = read<Orders>(id, 'orders');
  const lease = { ...orders?.lease, untilMs: 1 };
  writeFileSync(join(tasks(), id, 'orders.json'), JSON.stringify({ ...orders, lease }));
  const outcome = await until('the mover to end', () => read(id, 'outcome'));
  expect(outcome).toMatchObject({ ending: 'stopped', error: { code: 'unavailable' } });
  await harness.startAgent();
  await harness.controller.heartbeat('no mover', ({ movers }) => movers.length === 0);
  await expectClosed();
  await expectFinished();
});

test('a mover that nobody knows any more is told to stop, and is gone before it is given up', async () => {
  // Many small windows: more than half a minute's work, and none of them long.
  await cluster.fill(7001, 20_000, { tags: await ownTags() });
  const slots = [{ start: 0, end: 5_460 }];
  const options = { ...SLOWLY, rateBytesPerS: 80_000 };
  const sent = await cluster.begin(request({ slots, options }));
  const { id, pid } = await underWay();
  rmSync(join(tasks(), id, 'process.json'));
  const beat = await harness.controller.heartbeat('no mover', ({ movers }) => movers.length === 0);
  expect(beat.movers).toEqual([]);
  // Its own word, not the agent's: it had time to close what it had open.
  expect(ended(await sent.result).error).toMatchObject({ code: 'cancelled' });
  expect(read<Orders & { stop: boolean }>(id, 'orders')?.stop).toBe(true);
  await until('the process to end', () => !existsSync(`/proc/${pid}`));
  await expectClosed();
  const rest = request({ slots, options: { pace: 'fast' } });
  expect(await cluster.move(rest)).toMatchObject({ error: undefined });
  expect((await cluster.keys(7001)) + (await cluster.keys(7002))).toBe(20_000);
});

test('no mover is started beside one that lives on after it was given up', async () => {
  const { id } = await withTaskOf(request());
  const database = new DatabaseSync(join(tasks(), id, 'lock'));
  database.exec('BEGIN EXCLUSIVE');
  const refused = await cluster.move(request());
  expect(refused.error, refused.error?.message).toMatchObject({ code: 'unavailable' });
  expect(refused.error?.message).toContain(`mover ${id}`);
  // Others are not in its way.
  expect(await cluster.move(request({ target: 7003 }))).toMatchObject({ error: undefined });
  database.close();
  expect(await cluster.move(request({ slots: [{ start: 200, end: 210 }] }))).toMatchObject({
    error: undefined,
  });
});

test('a node is not source and target at once, and not its own target', async () => {
  await cluster.fill(7001, 5_000, { tags: TAGS });
  const sent = await cluster.begin(request());
  await underWay();
  for (const [source, target] of [
    [7002, 7001],
    [7002, 7003],
    [7003, 7001],
  ] as const) {
    const crossed = await cluster.move(request({ source, target }));
    expect(crossed).toMatchObject({ error: { code: 'unavailable' }, report: undefined });
  }
  expect(await cluster.move(request({ target: 7001 }))).toMatchObject({
    error: { code: 'invalid-argument' },
  });
  await harness.controller.step({ kind: 'stopMoves', host: 'h1' });
  expect(ended(await sent.result).error).toMatchObject({ code: 'cancelled' });
});

test('files of ended tasks are kept for those who look, but not for ever', async () => {
  for (let round = 0; round < 20; round += 1) {
    const slots = [{ start: round, end: round }];
    expect(await cluster.move(request({ slots }))).toMatchObject({ error: undefined });
  }
  const kept = readdirSync(tasks()).filter((name) => name !== 'compile-cache');
  expect(kept.length).toBeLessThanOrEqual(17);
  expect(kept.length).toBeGreaterThan(10);
});

/** The files of a task that the agent knows nothing of. */
async function withTaskOf(change: MoveRequest): Promise<{ readonly id: string }> {
  const id = 'given-up';
  mkdirSync(join(tasks(), id), { recursive: true });
  const task = { format: 1, id, step: await cluster.step(change) };
  writeFileSync(join(tasks(), id, 'task.json'), JSON.stringify(task));
  return { id };
}

/** Thousands of tags of the slots of 7001, as that node counts them. */
async function ownTags(): Promise<string[]> {
  const tags = Array.from({ length: 10_000 }, (_, n) => `t${n}`);
  const batch = cluster.client(7001).pipeline();
  for (const tag of tags) batch.call('CLUSTER', 'KEYSLOT', tag);
  const replies = (await batch.exec()) ?? [];
  return tags.filter((_, index) => Number(replies[index]?.[1]) <= 5_460);
}
