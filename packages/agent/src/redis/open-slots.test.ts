import type { ViewNode } from '@redrover/core';
import { expect, test } from 'vitest';

import { OpenSlotWatch } from './open-slots.ts';

const NODE: ViewNode = {
  nodeId: 'a',
  address: '127.0.0.1',
  port: 7001,
  busPort: 17001,
  flags: ['master'],
  masterId: '',
  configEpoch: 1,
  connected: true,
  slots: [{ start: 0, end: 100 }],
  migrating: [],
  importing: [],
};

function watchAt(clock: { tick: number; keys: number; asked: number }) {
  const watch = new OpenSlotWatch(() => clock.tick);
  const connection = {
    pipeline: async (commands: readonly unknown[]) => {
      clock.asked += commands.length;
      return [[7, clock.keys]];
    },
  };
  return (slots: readonly number[]): Promise<number> => {
    clock.tick += 1_000;
    const migrating = slots.map((slot) => ({ slot, nodeId: 'b' }));
    return watch.quietMs({ ...NODE, migrating }, connection);
  };
}

test('keys are not counted while other slots are open each time', async () => {
  const clock = { tick: 0, keys: 1, asked: 0 };
  const look = watchAt(clock);
  for (const slots of [[1, 2], [3, 4], [], [3, 4], [4, 5]]) expect(await look(slots)).toBe(0);
  expect(clock.asked).toBe(0);
});

test('quiet begins when keys were counted first, and anew with each key and slot that changes', async () => {
  const clock = { tick: 0, keys: 1, asked: 0 };
  const look = watchAt(clock);
  expect(await look([7])).toBe(0);
  expect(await look([7])).toBe(0);
  expect(await look([7])).toBe(1_000);
  expect(await look([7])).toBe(2_000);
  clock.keys = 2;
  expect(await look([7])).toBe(0);
  expect(await look([7])).toBe(1_000);
  expect(await look([7, 8])).toBe(0);
  expect(await look([7, 8])).toBe(0);
  expect(await look([7, 8])).toBe(1_000);
});
