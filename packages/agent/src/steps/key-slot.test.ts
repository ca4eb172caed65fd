import { expect, test } from 'vitest';

import { findTag, slotOfKey, slotOfTag } from './key-slot.ts';

test('agrees with the examples of the Redis Cluster specification and with CLUSTER KEYSLOT', () => {
  // CRC16 of 123456789 is 0x31C3 ("Appendix A" of the specification).
  expect(slotOfTag('123456789')).toBe(0x31c3);
  // As redis-server 7.0.15 answers to CLUSTER KEYSLOT.
  expect(slotOfTag('foo')).toBe(12182);
  expect(slotOfTag('')).toBe(0);
});

test('a key is where its first tag is, if that is not empty', () => {
  // The examples of the specification, "Hash tags".
  for (const [key, tag] of [
    ['{user1000}.following', 'user1000'],
    ['foo{}{bar}', 'foo{}{bar}'],
    ['foo{{bar}}zap', '{bar'],
    ['foo{bar}{zap}', 'bar'],
    ['foo{bar', 'foo{bar'],
    ['foo}{bar', 'foo}{bar'],
  ] as const) {
    expect(slotOfKey(Buffer.from(key)), key).toBe(slotOfTag(tag));
  }
});

test('finds a tag for every single slot', () => {
  for (let slot = 0; slot < 16_384; slot += 331) {
    const tag = findTag([{ start: slot, end: slot }]);
    expect(tag, `slot ${slot}`).toBeDefined();
    expect(slotOfTag(tag ?? '')).toBe(slot);
  }
  expect(findTag([])).toBeUndefined();
});
