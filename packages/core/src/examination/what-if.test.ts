import { describe, expect, it } from 'vitest';
import type { Layout, NodeKey } from '../model/layout.ts';
import type { NodeObservation, Observation } from '../model/observation.ts';
import type { EffectiveRole } from '../placement/effective-roles.ts';
import { exampleHost, hostFacts } from '../placement/testing/examples.ts';
import { settledCluster } from '../placement/testing/settled-cluster.ts';
import { layoutOf } from '../planning/testing/examples.ts';
import type { ExaminationInput } from './picture.ts';
import { whatIf } from './what-if.ts';

// s1: h1:6379 (master), h2:6379; s2: h2:6380 (master), h3:6379; s3: h3:6380 (master), h1:6380.
const layout = layoutOf({ hosts: 3, shards: 3, replicas: 1 });
const MEBIBYTE = 1024 ** 2;

function input(of: Layout = layout, observation: Observation = settledCluster(of)) {
  const names = [...new Set(of.nodes.map(({ host }) => host))];
  const hosts = names.map((name, index) =>
    exampleHost(name, {
      labels: { zone: index < 2 ? 'a' : 'b' },
      facts: hostFacts(512 * MEBIBYTE),
    }),
  );
  return { layout: of, observation, hosts, now: 0 } satisfies ExaminationInput;
}

function changed(
  key: NodeKey,
  change: (node: NodeObservation) => NodeObservation,
  observation = settledCluster(layout),
): Observation {
  const node = observation.nodes[key];
  if (node === undefined) throw new Error(`no node ${key}`);
  return { ...observation, nodes: { ...observation.nodes, [key]: change(node) } };
}

function redisOf(key: NodeKey, change: object, observation?: Observation): Observation {
  return changed(
    key,
    (node) => ({
      ...node,
      redis: node.redis === undefined ? undefined : { ...node.redis, ...change },
    }),
    observation,
  );
}

function lose(host: string, observation: Observation): Observation {
  const seen = observation.hosts[host];
  if (seen === undefined) throw new Error(`no host ${host}`);
  return { ...observation, hosts: { ...observation.hosts, [host]: { ...seen, status: 'lost' } } };
}

describe('what if a host dies', () => {
  it('is answered for each host, by what would be left', () => {
    const outcomes = whatIf(input());
    expect(outcomes.map(({ domain }) => domain)).toEqual(['h1', 'h2', 'h3']);
    expect(outcomes[0]).toEqual({
      kind: 'host',
      domain: 'h1',
      mastersThere: ['h1:6379'],
      lostSlots: [],
      lostShards: [],
      failovers: ['s1'],
      mastersLeft: 2,
      mastersNeeded: 2,
      quorumKept: true,
      replicasLeft: { s1: 0, s2: 1, s3: 0 },
      busiestHost: 'h2',
      busiestHostUsedBytes: 4_000_000,
      busiestHostMemoryBytes: 512 * MEBIBYTE,
      worstHostAfter: 'h2',
      worstHostMastersAfter: 2,
    });
  });

  it('loses the majority where masters have gathered, and then nothing fails over', () => {
    const roles = new Map<NodeKey, EffectiveRole>(
      layout.nodes.map(({ key, preferredRole }) => [key, preferredRole]),
    );
    roles.set('h1:6379', 'replica').set('h2:6379', 'master');
    const [outcome] = whatIf(input(layout, settledCluster(layout, roles)), { host: 'h2' });
    expect(outcome).toMatchObject({
      mastersThere: ['h2:6379', 'h2:6380'],
      mastersLeft: 1,
      quorumKept: false,
      failovers: [],
      lostSlots: [],
      worstHostAfter: 'h3',
      worstHostMastersAfter: 1,
    });
  });

  it.each([
    ['no link', { masterLinkUp: false }],
    ['a copy under way', { syncInProgress: true }],
  ])('loses slots whose only replica has %s', (_what, change) => {
    const [outcome] = whatIf(input(layout, redisOf('h2:6379', change)), { host: 'h1' });
    expect(outcome).toMatchObject({
      lostShards: ['s1'],
      lostSlots: [{ start: 0, end: 5460 }],
      failovers: [],
      replicasLeft: { s1: 0 },
    });
  });

  it('counts what is dead already as gone, and asks about it only by name', () => {
    const roles = new Map<NodeKey, EffectiveRole>(
      layout.nodes.map(({ key, preferredRole }) => [key, preferredRole]),
    );
    roles.set('h1:6379', 'replica').set('h2:6379', 'master');
    const without = input(layout, lose('h1', settledCluster(layout, roles)));
    expect(whatIf(without).map(({ domain }) => domain)).toEqual(['h2', 'h3']);
    // h3 has the last member of s3, as h1 is gone; s2 fails over from h2 to it and not back.
    expect(whatIf(without, { host: 'h3' })).toMatchObject([{ lostShards: ['s3'], mastersLeft: 2 }]);
    expect(whatIf(without, { host: 'h1' })).toMatchObject([
      { mastersThere: [], lostShards: [], mastersLeft: 3, quorumKept: true },
    ]);
    // Before the failover its own slots are lost as well, whatever else dies.
    const before = input(layout, lose('h1', settledCluster(layout)));
    expect(whatIf(before, { host: 'h2' })).toMatchObject([
      { lostShards: ['s1'], mastersLeft: 1, mastersNeeded: 2, quorumKept: false },
    ]);
  });

  it('counts memory where a replica may be promoted', () => {
    const large = redisOf('h3:6379', { usedMemoryBytes: 300 * MEBIBYTE });
    expect(whatIf(input(layout, large), { host: 'h2' })).toMatchObject([
      { busiestHost: 'h3', busiestHostUsedBytes: 300 * MEBIBYTE + 2_000_000 },
    ]);
    expect(whatIf(input(layout, large), { host: 'h1' })).toMatchObject([{ busiestHost: 'h2' }]);
  });

  it('costs nothing where it is drained', () => {
    const drained = { ...layout, drainedHosts: ['h1'] };
    expect(whatIf(input(drained), { host: 'h1' })).toMatchObject([
      { mastersThere: [], mastersLeft: 3, lostShards: [] },
    ]);
    expect(whatIf(input(drained), { host: 'h2' })).toMatchObject([{ lostShards: ['s1'] }]);
  });
});

describe('what if a zone dies', () => {
  it('takes all of its hosts at once', () => {
    expect(whatIf(input(), { zone: 'a' })).toMatchObject([
      {
        kind: 'zone',
        domain: 'a',
        mastersThere: ['h1:6379', 'h2:6380'],
        lostShards: ['s1'],
        mastersLeft: 1,
        quorumKept: false,
        worstHostAfter: 'h3',
      },
    ]);
  });
});

describe('a wrong question', () => {
  it.each([
    [{ host: 'h9' }, 'not-found', 'its hosts are h1, h2, h3'],
    [{ zone: 'c' }, 'not-found', 'there are a, b'],
    [{ host: 'h1', zone: 'a' }, 'invalid-argument', 'not both'],
  ])('%j is %s, and says %s', (scope, code, text) => {
    expect(() => whatIf(input(), scope)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(text) }),
    );
  });

  it('about zones is told that there are none', () => {
    const bare = { ...input(), hosts: [exampleHost('h1')] };
    expect(() => whatIf(bare, { zone: 'a' })).toThrow('no host of cluster shop has the label zone');
  });
});
