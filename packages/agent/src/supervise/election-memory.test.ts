import { clusterViewOf, type RedisObservation, type ViewNode } from '@redrover/core';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { ElectionMemory } from './election-memory.ts';

const NODE_TIMEOUT_MS = 5_000;
/** Four node timeouts and a margin. */
const WHOLE_WAIT_MS = 20_500;
const SLOTS = [{ start: 0, end: 16_383 }];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'], now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Master `a` and replica `b`, or the other way round; the observation is of `b`. */
function seen(change: Partial<RedisObservation> & { masterFlags?: readonly string[] } = {}) {
  const { masterFlags = ['master'], ...rest } = change;
  const isMaster = rest.role === 'master';
  const node = (nodeId: string, masterId: string): ViewNode => ({
    nodeId,
    address: '10.0.0.1',
    port: 6379,
    busPort: 16_379,
    flags: masterId === '' ? masterFlags : ['slave'],
    masterId,
    configEpoch: 1,
    connected: true,
    slots: masterId === '' ? SLOTS : [],
    migrating: [],
    importing: [],
  });
  const view = clusterViewOf([node('a', isMaster ? 'b' : ''), node('b', isMaster ? '' : 'a')]);
  const base = { nodeId: 'b', role: 'replica', uptimeSeconds: 1, currentEpoch: 3, loading: false };
  return { ...base, view, ...rest } as RedisObservation;
}

const waitOf = (memory: ElectionMemory, master = 'a') => memory.waitMs(master, NODE_TIMEOUT_MS);

/** As the agent observes: each second. */
function observe(memory: ElectionMemory, redis: RedisObservation, seconds = 1): void {
  for (let second = 0; second < seconds; second += 1) {
    vi.advanceTimersByTime(1_000);
    memory.note(redis, 1);
  }
}

describe('a replica may be elected', () => {
  test('at once when it has just been started', () => {
    const memory = new ElectionMemory();
    observe(memory, seen(), 3);
    expect(waitOf(memory)).toBe(0);
  });

  test('only after four node timeouts when the agent does not know what was before', () => {
    const memory = new ElectionMemory();
    observe(memory, seen({ uptimeSeconds: 3_600 }));
    expect(waitOf(memory)).toBe(WHOLE_WAIT_MS);
    observe(memory, seen({ uptimeSeconds: 3_621 }), 21);
    expect(waitOf(memory)).toBe(0);
  });

  test('only after four node timeouts when it was asked to, with or without success', () => {
    const memory = new ElectionMemory();
    observe(memory, seen());
    memory.noteOwn();
    expect(waitOf(memory)).toBe(WHOLE_WAIT_MS);
  });

  test('only after four node timeouts when it was elected and ousted since', () => {
    const memory = new ElectionMemory();
    observe(memory, seen());
    observe(memory, seen({ role: 'master' }));
    observe(memory, seen());
    expect(waitOf(memory)).toBe(WHOLE_WAIT_MS - 1_000);
  });

  test('only after four node timeouts since its master was failing', () => {
    const memory = new ElectionMemory();
    observe(memory, seen());
    observe(memory, seen({ masterFlags: ['master', 'fail'] }), 5);
    expect(waitOf(memory)).toBe(WHOLE_WAIT_MS);
  });

  test('after two node timeouts in the place of a master that was ousted lately', () => {
    const memory = new ElectionMemory();
    observe(memory, seen());
    observe(memory, seen({ role: 'master' }));
    // Its own election is a matter of its own: here of another replica of that master.
    expect(memory.waitMs('a', 100_000)).toBe(400_500);
    const other = new ElectionMemory();
    observe(other, { ...seen(), nodeId: 'c', role: 'replica' });
    observe(other, { ...seen({ role: 'master' }), nodeId: 'c', role: 'replica' });
    expect(waitOf(other)).toBe(10_500);
    expect(waitOf(other, 'b')).toBe(0);
  });

  test('at once after a silence in which no epoch rose, not after one in which it did', () => {
    const memory = new ElectionMemory();
    observe(memory, seen());
    vi.advanceTimersByTime(60_000);
    observe(memory, seen());
    expect(waitOf(memory)).toBe(0);
    vi.advanceTimersByTime(60_000);
    observe(memory, seen({ currentEpoch: 5 }));
    expect(waitOf(memory)).toBe(WHOLE_WAIT_MS);
  });

  test('at once by a new process: it remembers nothing', () => {
    const memory = new ElectionMemory();
    observe(memory, seen());
    memory.noteOwn();
    memory.note(seen(), 2);
    expect(waitOf(memory)).toBe(0);
  });
});
