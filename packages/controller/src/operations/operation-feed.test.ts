import { RedroverError } from '@redrover/core';
import { expect, test } from 'vitest';

import { OperationFeed, type OperationEvent } from './operation-feed.ts';

const line = (text: string): OperationEvent => ({
  kind: 'progress',
  stepKey: 's',
  line: text,
  fraction: undefined,
  move: undefined,
});
const waits = (reason: string): OperationEvent => ({
  kind: 'waits',
  waits: [{ subject: 'c', reason }],
});

async function collect(events: AsyncIterable<OperationEvent>): Promise<OperationEvent[]> {
  const all: OperationEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

test('a watcher gets what was before, then what comes, and ends with the feed', async () => {
  const feed = new OperationFeed();
  const watch = feed.watch([waits('before')]);
  const read = collect(watch.events);
  feed.publish(line('1'));
  await Promise.resolve();
  feed.publish(line('2'));
  feed.end();
  expect(await read).toEqual([waits('before'), line('1'), line('2')]);
});

test('a watcher that stops while it waits is released', async () => {
  const feed = new OperationFeed();
  const watch = feed.watch([]);
  const read = collect(watch.events);
  watch.stop();
  expect(await read).toEqual([]);
});

test('a slow watcher loses lines of progress, and nothing else', async () => {
  const feed = new OperationFeed();
  const watch = feed.watch([]);
  for (let at = 0; at < 5_000; at += 1) feed.publish(line(String(at)));
  feed.publish(waits('still told'));
  feed.end();
  const events = await collect(watch.events);
  expect(events).toHaveLength(2_000);
  expect(events.at(-1)).toEqual(waits('still told'));
});

test('a long past does not count as slowness', async () => {
  const feed = new OperationFeed();
  const past = Array.from({ length: 5_000 }, (_, at) => waits(String(at)));
  const watch = feed.watch(past);
  feed.publish(waits('now'));
  feed.end();
  expect(await collect(watch.events)).toHaveLength(5_001);
});

test('a watcher that reads nothing at all is ended with the reason', async () => {
  const feed = new OperationFeed();
  const watch = feed.watch([]);
  for (let at = 0; at < 3_000; at += 1) feed.publish(waits(String(at)));
  await expect(collect(watch.events)).rejects.toMatchObject({ code: 'resource-exhausted' });
});

test('a feed that is broken off says why, after what it had to tell', async () => {
  const feed = new OperationFeed();
  const watch = feed.watch([line('1')]);
  feed.end(new RedroverError('unavailable', 'stopping'));
  const seen: OperationEvent[] = [];
  const read = async () => {
    for await (const event of watch.events) seen.push(event);
  };
  await expect(read()).rejects.toMatchObject({ code: 'unavailable' });
  expect(seen).toEqual([line('1')]);
});
