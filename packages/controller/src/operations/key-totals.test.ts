import type { Observation } from '@redrover/core';
import { expect, test } from 'vitest';

import { KeyTotals } from './key-totals.ts';

/** Two masters, and the keys of each. */
function seen(one: number, other: number, end = 16_383): Observation {
  const master = (nodeId: string, keys: number, slots: object) => ({
    process: { state: 'running' },
    redis: { nodeId, role: 'master', keys, view: { nodes: [{ nodeId, slots: [slots] }] } },
  });
  const nodes = {
    a: master('1', one, { start: 0, end: 99 }),
    b: master('2', other, { start: 100, end }),
    c: { process: { state: 'running' }, redis: undefined },
  };
  return { hosts: {}, nodes, sharedBuilds: [] } as unknown as Observation;
}

test('keys are counted before slots move, and in the end', () => {
  const totals = new KeyTotals();
  totals.note(seen(5, 4), { hasMoved: false });
  totals.note(seen(5, 5), { hasMoved: false });
  totals.note(seen(3, 4), { hasMoved: true });
  expect(totals.describe()).toBe(
    '7 keys in all, 3 fewer than before, where clients wrote or keys expired',
  );
  totals.note(seen(2, 8), { hasMoved: true });
  expect(totals.describe()).toBe('10 keys in all, as many as before');
});

test('thousands are told apart', () => {
  const totals = new KeyTotals();
  totals.note(seen(5_000, 1), { hasMoved: false });
  totals.note(seen(1_000, 1), { hasMoved: true });
  expect(totals.describe()).toBe(
    '1,001 keys in all, 4,000 fewer than before, where clients wrote or keys expired',
  );
});

test('nothing is said of what is not known', () => {
  const totals = new KeyTotals();
  totals.note(seen(1, 1, 16_000), { hasMoved: false });
  totals.note(seen(1, 1), { hasMoved: true });
  expect(totals.describe()).toBe('');
});
