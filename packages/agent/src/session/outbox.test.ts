import { expect, test } from 'vitest';

import { Outbox, type OutgoingMessage } from './outbox.ts';

const result = (id: string): OutgoingMessage => ({ case: 'result', value: { id } });

test('keeps what could not be delivered, and delivers it first and in order', async () => {
  const outbox = new Outbox();
  const delivered: OutgoingMessage[] = [];
  outbox.post(result('a'));
  outbox.open(() => Promise.reject(new Error('broken')));
  outbox.post(result('b'));
  await Promise.resolve();
  outbox.close();
  outbox.open(async (message) => void delivered.push(message));
  outbox.post(result('c'));
  await expect.poll(() => delivered).toEqual([result('a'), result('b'), result('c')]);
});

test('delivers a message once, and holds a bounded number', async () => {
  const outbox = new Outbox();
  for (let index = 0; index < 300; index += 1) outbox.post(result(`${index}`));
  const delivered: OutgoingMessage[] = [];
  outbox.open(async (message) => void delivered.push(message));
  await expect.poll(() => delivered.length).toBe(256);
  expect(delivered[0]).toEqual(result('44'));
});
