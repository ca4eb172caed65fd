import { expect, test } from 'vitest';

import { showKeyName } from './key-name.ts';

test.each([
  [Buffer.from('user:{42}:name'), 'user:{42}:name'],
  [Buffer.from('größe:€'), 'größe:€'],
  [Buffer.from([0x61, 0xff, 0x00, 0x0a, 0x22, 0x5c]), String.raw`"a\xff\x00\n\"\\"`],
  [Buffer.from('\u001b[31mred'), String.raw`"\x1b[31mred"`],
  [Buffer.from('left\u202eright'), String.raw`"left\xe2\x80\xaeright"`],
  [Buffer.alloc(0), '""'],
  [Buffer.alloc(1_000_000, 'k'), `${'k'.repeat(200)}...`],
  [Buffer.from(`${'k'.repeat(199)}€`), `${'k'.repeat(199)}...`],
])('%j is shown as %s', (name, shown) => {
  expect(showKeyName(name)).toBe(shown);
});
