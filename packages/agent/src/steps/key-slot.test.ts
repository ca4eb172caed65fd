import { expect, test } from 'vitest';

import { findTag, slotOfTag } from './key-slot.ts';

test('agrees with the examples of the Redis Cluster specification and with CLUSTER KEYSLOT', () => {
  // CRC16 of 123456789 is 0x31C3 ("Appendix A" of the specification).
  expect(slotOfTag('123456789')).toBe(0x31c3);
  // As redis-server 7.0.15 answers to CLUSTER KEYSLOT.
  expect(slotOfTag('foo')).toBe(12182);
  expect(slotOfTag('')).toBe(0);
});

test('finds a tag for every single slot', () => {
  for (let slot = 0; slot < 16_384; slot += 331) {
    const tag = findTag([{ start: slot, end: slot }]);
    expect(tag, `slot ${slot}`).toBeDefined();
    expect(slotOfTag(tag ?? '')).toBe(slot);
  }
  expect(findTag([])).toBeUndefined();
});
