import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import type { ClaimInput } from './claim.ts';
import { claimInstance } from './claim.ts';
import { listInstances, writeInstance } from './instance.ts';
import { withLock } from '../stack/lock.ts';
import { findBasePort } from './ports.ts';

let playgrounds: string;

beforeEach(() => {
  playgrounds = mkdtempSync(join(tmpdir(), 'redrover-playgrounds-'));
});

afterEach(() => rmSync(playgrounds, { recursive: true, force: true }));

function input(change: Partial<ClaimInput> = {}): ClaimInput {
  return {
    playgrounds,
    name: undefined,
    addresses: ['127.0.0.99'],
    portCount: 4,
    programs: { node: process.execPath, controller: '/none', agent: '/none' },
    env: { REDROVER_CONFIG: join(playgrounds, 'config.yaml') },
    note: () => {},
    ...change,
  };
}

test('two at once get different names, directories and ports', async () => {
  const claims = await Promise.all([claimInstance(input()), claimInstance(input())]);
  const names = claims.map(({ name }) => name).sort();
  expect(names).toEqual(['playground', 'playground-2']);
  expect(new Set(claims.map(({ basePort }) => basePort)).size).toBe(2);
});

test('a name that is running is refused', async () => {
  await claimInstance(input({ name: 'mine' }));
  await expect(claimInstance(input({ name: 'mine' }))).rejects.toThrow(/mine is running/);
});

test('what a crashed playground left is cleaned up, and its name is free again', async () => {
  const directory = join(playgrounds, 'playground');
  const gone = { pid: process.pid, startTicks: '1' };
  const record = { basePort: 6379, portCount: 4, previousContext: null };
  writeInstance(directory, { ...record, name: 'playground', owner: gone });
  writeFileSync(join(directory, 'trace'), '');
  expect(listInstances(playgrounds)).toMatchObject([{ name: 'playground', state: 'leftover' }]);
  const notes: string[] = [];
  const claim = await claimInstance(input({ note: (text) => void notes.push(text) }));
  expect(claim.name).toBe('playground');
  expect(notes.join()).toContain('earlier playground');
});

test('a port that somebody listens on is not handed out', async () => {
  const address = '127.0.0.98';
  const before = await findBasePort({ addresses: [address], count: 2, reserved: [] });
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen({ host: address, port: before + 10_001 }, resolve);
  });
  try {
    const after = await findBasePort({ addresses: [address], count: 2, reserved: [] });
    expect(after).toBe(before + 100);
  } finally {
    server.close();
  }
});

test('a lock whose holder died is taken over, one that lives is waited for', async () => {
  const path = join(playgrounds, '.lock');
  writeFileSync(path, JSON.stringify({ pid: process.pid, startTicks: '1' }));
  const order: string[] = [];
  const slow = withLock(path, async () => {
    order.push('first in');
    await new Promise((resolve) => setTimeout(resolve, 100));
    order.push('first out');
  });
  const second = withLock(path, async () => void order.push('second'));
  await Promise.all([slow, second]);
  expect(order.filter((each) => each.startsWith('first'))).toEqual(['first in', 'first out']);
  expect(Math.abs(order.indexOf('first in') - order.indexOf('first out'))).toBe(1);
});
