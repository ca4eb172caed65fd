import { parseSpec, type ClusterSpec } from '@redrover/core';
import { expect, test } from 'vitest';

import type { ClusterRecord } from '../store/cluster-records.ts';
import { tellOutdated } from './spec-changes.ts';

function specOf(change: object = {}): ClusterSpec {
  const parsed = parseSpec({ name: 'shop', release: 'redis-7.2.4', shards: 3, ...change });
  if (!parsed.ok) throw new Error('the spec of this test is wrong');
  return parsed.spec;
}

const record = { name: 'shop', spec: specOf({ placement: { hosts: ['h1', 'h2', 'h7'] } }) };

test('of a file that may be older than the last move of nodes it is said what holds now', () => {
  const old = specOf({ shards: 4, placement: { hosts: ['h1', 'h2', 'h3'] } });
  const [told] = tellOutdated(old, record as unknown as ClusterRecord, true);
  expect(told).toMatchObject({ rule: 'spec-outdated', severity: 'info' });
  expect(told?.evidence).toEqual([expect.stringMatching(/^placement: .*"h7"/)]);
  expect(tellOutdated(old, record as unknown as ClusterRecord, false)).toEqual([]);
});

test('a file that agrees about places is not older', () => {
  const larger = { ...record.spec, shards: 5 };
  expect(tellOutdated(larger, record as unknown as ClusterRecord, true)).toEqual([]);
});
