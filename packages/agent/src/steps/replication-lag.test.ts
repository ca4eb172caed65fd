import { expect, test } from 'vitest';

import { findOffset } from './replication-lag.ts';

/** Of the command page CLUSTER SHARDS, with two shards. */
const REPLY = [
  ['slots', [0, 5460], 'nodes', [['id', 'a', 'port', 30001, 'replication-offset', 72156]]],
  [
    'slots',
    [5461, 16383],
    'nodes',
    [
      ['id', 'b', 'port', 30002, 'role', 'master', 'replication-offset', 1300, 'health', 'online'],
      ['id', 'c', 'port', 30003, 'role', 'replica', 'replication-offset', 1299, 'health', 'online'],
    ],
  ],
];

test('the offset of a node is found by its id, in any shard', () => {
  expect(findOffset(REPLY, 'a')).toBe(72156);
  expect(findOffset(REPLY, 'c')).toBe(1299);
});

test('a node that is not there, or says nothing, has none', () => {
  expect(findOffset(REPLY, 'd')).toBeUndefined();
  expect(findOffset([['id', 'e', 'port', 1]], 'e')).toBeUndefined();
  expect(findOffset('ERR unknown', 'a')).toBeUndefined();
});
