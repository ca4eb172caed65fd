import type { Fence, NodePlan } from '@redrover/core';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { FenceStore } from './fence-store.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'redrover-fence-'));
});
afterEach(() => rm(directory, { recursive: true }));

const NOW = 1_000_000;
const fence = (change: Partial<Fence> = {}): Fence => ({
  incarnation: 1,
  cluster: 'c1',
  operationId: 'op1',
  layoutNumber: 1,
  expiresAtMs: NOW + 1,
  preconditions: { nodeId: '', role: '' },
  ...change,
});
const plan = { cluster: 'c1', node: { key: 'h1:6379' } } as NodePlan;
const refused = { code: 'fenced' };

test('what was accepted is remembered by the next process, with the plans', async () => {
  const store = await FenceStore.open(directory);
  await store.accept(fence({ incarnation: 2, layoutNumber: 3 }), NOW, plan);
  const next = await FenceStore.open(directory);
  expect(next.incarnation).toBe(2);
  expect(next.cluster('c1')).toEqual({ layoutNumber: 3, plans: { 'h1:6379': plan } });
  await expect(next.accept(fence({ layoutNumber: 3 }), NOW)).rejects.toMatchObject(refused);
  await expect(next.accept(fence({ incarnation: 2 }), NOW)).rejects.toMatchObject(refused);
  await next.accept(fence({ incarnation: 2, layoutNumber: 3 }), NOW);
});

test('a command that has expired changes nothing', async () => {
  const store = await FenceStore.open(directory);
  const late = store.accept(fence({ incarnation: 9, expiresAtMs: NOW }), NOW, plan);
  await expect(late).rejects.toMatchObject(refused);
  expect(store.incarnation).toBe(0);
});

test('a cluster of which nothing is left may begin again at layout 1', async () => {
  const store = await FenceStore.open(directory);
  await store.accept(fence({ layoutNumber: 7 }), NOW, plan);
  await store.forgetNode('c1', 'h1:6379');
  await store.accept(fence({ layoutNumber: 1 }), NOW);
  expect(store.cluster('c1')).toBeUndefined();
});

test('a file that cannot be read is not taken for none', async () => {
  await writeFile(join(directory, 'fence.json'), '{"format":1');
  await expect(FenceStore.open(directory)).rejects.toMatchObject({ code: 'data-loss' });
});

test('what could not be written is written by the next command, before it is obeyed', async () => {
  const store = await FenceStore.open(directory);
  const command = fence({ incarnation: 2, layoutNumber: 3 });
  await rename(directory, `${directory}-away`);
  await expect(store.accept(command, NOW, plan)).rejects.toMatchObject({ code: 'not-found' });
  await expect(store.accept(command, NOW, plan)).rejects.toMatchObject({ code: 'not-found' });
  await rename(`${directory}-away`, directory);
  await store.accept(command, NOW, plan);
  const next = await FenceStore.open(directory);
  expect(next.incarnation).toBe(2);
  expect(next.cluster('c1')?.layoutNumber).toBe(3);
});
