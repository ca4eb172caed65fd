import { describe, expect, test } from 'vitest';
import type { PlacedMember } from './domains.ts';
import {
  findQuorumRisks,
  findSharedDomains,
  maxMastersPerDomain,
  mastersByDomain,
  whatIfDomainLost,
} from './domains.ts';

/** `s1 h1 h2`: shard, domain of the master, domains of the replicas. */
function members(...shards: readonly string[]): PlacedMember[] {
  return shards.flatMap((line) => {
    const [shard = '', ...domains] = line.split(' ');
    return domains.map((domain, index) => ({
      node: `${domain}/${shard}/${index}`,
      shard,
      domain,
      role: index === 0 ? ('master' as const) : ('replica' as const),
    }));
  });
}

const reference = members('s1 h1 h2', 's2 h2 h3', 's3 h3 h1');

/** After h1 was lost and came back: its master went to h2. */
const drifted = members('s1 h2 h1', 's2 h2 h3', 's3 h3 h1');

describe('failure domains', () => {
  test('hold at most what leaves a majority without them', () => {
    expect([1, 2, 3, 4, 5, 6, 7].map(maxMastersPerDomain)).toEqual([0, 0, 1, 1, 2, 2, 3]);
  });

  test('are counted with their masters, also those with replicas only', () => {
    expect([...mastersByDomain(drifted)]).toEqual([
      ['h2', 2],
      ['h1', 0],
      ['h3', 1],
    ]);
  });

  test('are a quorum risk after a failover that was not undone', () => {
    expect(findQuorumRisks(reference)).toEqual([]);
    expect(findQuorumRisks(drifted)).toEqual([{ domain: 'h2', masters: 2, limit: 1 }]);
  });

  test('must not be shared by members of a shard', () => {
    expect(findSharedDomains(reference)).toEqual([]);
    expect(findSharedDomains(members('s1 h1 h1', 's2 h1 h2'))).toEqual([
      { shard: 's1', domain: 'h1', nodes: ['h1/s1/0', 'h1/s1/1'] },
    ]);
  });
});

describe('whatIfDomainLost', () => {
  test('of the reference case: one failover, quorum kept, its replica gone', () => {
    expect(whatIfDomainLost(reference, 'h1')).toEqual({
      domain: 'h1',
      lostShards: [],
      failovers: ['s1'],
      mastersLeft: 2,
      quorumKept: true,
      replicasLeft: { s1: 0, s2: 1, s3: 0 },
      worstAfter: { domain: 'h2', masters: 2 },
    });
  });

  test('after role drift: the quorum is lost though every shard has a replica', () => {
    const loss = whatIfDomainLost(drifted, 'h2');
    expect(loss).toMatchObject({ lostShards: [], failovers: ['s1', 's2'], quorumKept: false });
  });

  test('names the shards that have nothing left', () => {
    const loss = whatIfDomainLost(members('s1 h1', 's2 h2 h1', 's3 h3 h2'), 'h1');
    expect(loss.lostShards).toEqual(['s1']);
    expect(loss.replicasLeft).toEqual({ s1: 0, s2: 0, s3: 1 });
  });

  test('counts a shard in every domain where a replica of it may win', () => {
    const loss = whatIfDomainLost(members('s1 h1 h2 h3', 's2 h2 h3', 's3 h3 h2'), 'h1');
    expect(loss.worstAfter).toEqual({ domain: 'h2', masters: 2 });
    expect(loss.replicasLeft).toEqual({ s1: 1, s2: 1, s3: 1 });
  });

  test('of a domain without nodes changes nothing', () => {
    expect(whatIfDomainLost(reference, 'h9')).toMatchObject({ mastersLeft: 3, failovers: [] });
  });
});
