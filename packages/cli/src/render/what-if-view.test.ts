import { create } from '@bufbuild/protobuf';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { DomainOutcomeSchema } from '@redrover/proto';
import type { DomainOutcome } from '@redrover/proto';
import { describe, expect, test } from 'vitest';

import { view } from '../testing/examples.ts';
import { renderAccount } from './what-if-account.ts';
import { renderOutcomes, toOutcomeView } from './what-if-view.ts';

type Change = Omit<MessageInitShape<typeof DomainOutcomeSchema>, '$typeName'>;

const MIB = 1024 ** 2;

/** Host h1 of 3 × (1 + 1) nodes, one master on each. */
function outcome(change: Change = {}): DomainOutcome {
  const base: Change = {
    kind: 'host',
    domain: 'h1',
    mastersThere: ['h1:6379'],
    failovers: ['s1'],
    mastersLeft: 2,
    mastersNeeded: 2,
    quorumKept: true,
    replicasLeft: { s1: 0, s2: 1, s3: 0 },
    busiestHost: 'h2',
    busiestHostUsedBytes: BigInt(300 * MIB),
    busiestHostMemoryBytes: BigInt(4096 * MIB),
    worstHostAfter: 'h2',
    worstHostMastersAfter: 2,
  };
  return create(DomainOutcomeSchema, { ...base, ...change });
}

/** Two of three masters on h2, one of them without a replica. */
const fatal: Change = {
  domain: 'h2',
  mastersThere: ['h2:6379', 'h2:6380'],
  lostSlots: [{ start: 0, end: 5460 }],
  lostShards: ['s1'],
  failovers: [],
  mastersLeft: 1,
  quorumKept: false,
};

const lines = (text: string): string[] => text.split('\n');

describe('the table', () => {
  test('a line for each host tells what would be left', () => {
    const [head, first] = lines(renderOutcomes([toOutcomeView(outcome())], view));
    expect(head).toMatch(/^HOST +MASTERS +SLOTS +MAJORITY/);
    expect(first).toMatch(
      /^h1 +h1:6379 +kept +kept 2\/2 +s1 +none of s1, s3 +h2 7 % +h2 has 2, must stay$/,
    );
  });

  test('hosts come before zones, each in the order of their names', () => {
    const zone = outcome({ kind: 'zone', domain: 'a' });
    const outcomes = [zone, outcome({ domain: 'h10' }), outcome({ domain: 'h9' })];
    const text = renderOutcomes(outcomes.map(toOutcomeView), view);
    const names = lines(text).flatMap((line) => /^(h\d+|a|HOST|ZONE)\b/.exec(line)?.[1] ?? []);
    expect(names).toEqual(['HOST', 'h9', 'h10', 'ZONE', 'a']);
  });

  test('it fits the width that there is', () => {
    const text = renderOutcomes([outcome(), outcome(fatal)].map(toOutcomeView), view);
    expect(Math.max(...lines(text).map((line) => line.length))).toBeLessThanOrEqual(view.width);
    expect(text).toMatch(/^h2 +h2:6379, +lost 5461 \(s1\) +lost 1\/2 +none +none of s1, s3$/m);
  });
});

describe('for scripts', () => {
  test('nothing is left out, and numbers are numbers', () => {
    expect(toOutcomeView(outcome(fatal))).toEqual({
      kind: 'host',
      domain: 'h2',
      survived: false,
      mastersThere: ['h2:6379', 'h2:6380'],
      lostSlots: ['0-5460'],
      lostSlotCount: 5461,
      lostShards: ['s1'],
      failovers: [],
      mastersLeft: 1,
      mastersNeeded: 2,
      quorumKept: false,
      replicasLeft: { s1: 0, s2: 1, s3: 0 },
      busiestHost: { host: 'h2', usedBytes: 300 * MIB, memoryBytes: 4096 * MIB },
      worstHostAfter: { host: 'h2', masters: 2, quorumKept: false },
    });
  });

  test('a loss is survived with all slots and a majority, and only then', () => {
    expect(toOutcomeView(outcome()).survived).toBe(true);
    expect(toOutcomeView(outcome({ quorumKept: false })).survived).toBe(false);
    expect(toOutcomeView(outcome({ lostShards: ['s1'] })).survived).toBe(false);
  });

  test('the next loss is survived when a majority is left after both', () => {
    const five = { mastersLeft: 4, mastersNeeded: 3, worstHostMastersAfter: 2 };
    expect(toOutcomeView(outcome(five)).worstHostAfter?.quorumKept).toBe(true);
    const three = { ...five, worstHostMastersAfter: 3 };
    expect(toOutcomeView(outcome(three)).worstHostAfter?.quorumKept).toBe(false);
  });
});

describe('one loss in words', () => {
  const tell = (change?: Change): string =>
    renderAccount({ cluster: 'shop', outcome: toOutcomeView(outcome(change)) }, view);

  test('a loss that Redis repairs by itself', () => {
    expect(lines(tell())).toEqual([
      'shop: if host h1 died now, by the roles that the nodes have now',
      '',
      'Masters    1 master goes with it: h1:6379.',
      'Slots      None is lost: each shard has a member elsewhere that can serve them.',
      'Majority   Kept: 2 masters would be left and 2 are needed.',
      'Failover   s1 fails over to a replica elsewhere, in about the node timeout.',
      'Replicas   In sync besides the masters: none of s1, s3; 1 of s2.',
      'Memory     The fullest host then may be h2: 300 MiB of 4 GiB (7 %), with what is stored now.',
      'And then?  h2 may have 2 masters; losing it next, before host h1 is back and roles are home, would',
      '           take the majority.',
      '',
      'shop survives the loss of host h1.',
    ]);
  });

  test('a loss of slots and majority says what is lost and what brings it back', () => {
    const text = tell(fatal);
    expect(text).toContain('2 masters go with it: h2:6379, h2:6380.');
    expect(text).toContain('Lost: 5461 of 16384 slots (0-5460), all of s1.');
    expect(text).toContain('Lost: 1 master would be left and 2 are needed.');
    expect(text).toContain('None: there is no majority for it.');
    expect(text).toContain('shop does not survive the loss of host h2.');
    expect(Math.max(...lines(text).map((line) => line.length))).toBeLessThanOrEqual(view.width);
    expect(text).not.toContain('Memory');
  });

  test('a host without masters', () => {
    const text = tell({ mastersThere: [], failovers: [], mastersLeft: 3 });
    expect(text).toContain('No master is on host h1.');
    expect(text).toContain('None is needed.');
  });

  test('nothing is told of hosts when none is left', () => {
    const text = tell({ busiestHost: '', worstHostAfter: '' });
    expect(text).not.toMatch(/And then|Memory/);
  });
});
