import { describe, expect, test } from 'vitest';
import type { Host } from '../model/host.ts';
import type { Layout } from '../model/layout.ts';
import type { Reshard, SlotStats } from '../model/migration.ts';
import { countSlots, formatRanges, SLOT_COUNT } from '../model/slots.ts';
import type { ClusterSpec } from '../model/spec.ts';
import type { LayoutPlan } from './layout-plan.ts';
import { planLayout } from './plan-layout.ts';
import { planReshard } from './plan-reshard.ts';
import type { ReshardRequest } from './reshard/reshard-request.ts';
import { specAfterReshard } from './reshard/spec-after-reshard.ts';
import { exampleHosts, exampleSpec, planNew, zonedHosts } from './testing/examples.ts';
import { settledCluster } from './testing/settled-cluster.ts';

function created(spec: ClusterSpec, hosts: readonly Host[]): Layout {
  return accepted(planNew(spec, hosts)).layout;
}

function accepted(plan: LayoutPlan): Extract<LayoutPlan, { ok: true }> {
  if (!plan.ok) throw new Error(plan.refusals.map(({ message }) => message).join('\n'));
  return plan;
}

/** The members of each shard, the master with a star, and its slots. */
function show({ shards, nodes }: Layout): string[] {
  return shards.map(({ id, slots }) => {
    const members = nodes.filter((node) => node.shard === id);
    const keys = members.map((node) => node.key + (node.preferredRole === 'master' ? '*' : ''));
    return `${id} ${keys.join(' ')} ${formatRanges(slots)}`;
  });
}

const three = created(exampleSpec(), exampleHosts(3));

function reshard(change: Reshard, more: Partial<ReshardRequest> = {}): LayoutPlan {
  return planReshard({
    change,
    spec: exampleSpec(),
    layout: three,
    hosts: exampleHosts(3),
    ownedSlots: {},
    number: 2,
    ...more,
  });
}

function rebalance(weights: Readonly<Record<string, number>> = {}): Reshard {
  return { kind: 'rebalance', by: 'slots', weights };
}

function rulesOf(plan: LayoutPlan): string[] {
  return (plan.ok ? plan.findings : plan.refusals).map(({ rule }) => rule);
}

describe('rebalance by slots', () => {
  test('gives the layout in force itself when it is balanced, and says so', () => {
    const plan = accepted(reshard(rebalance()));
    expect(plan.layout).toBe(three);
    expect(rulesOf(plan)).toContain('nothing-to-do');
  });

  test('gives a shard of twice the weight twice the slots, taken from the others alike', () => {
    const plan = accepted(reshard(rebalance({ s1: 2 })));
    expect(plan.layout.number).toBe(2);
    expect(plan.layout.nodes).toEqual(three.nodes);
    expect(plan.layout.shards.map(({ slots }) => formatRanges(slots))).toEqual([
      '0-6826 15019-16383',
      '6827-10922',
      '10923-15018',
    ]);
    expect(plan.findings.find(({ rule }) => rule === 'slots-move')).toMatchObject({
      message: '2731 slots will be moved.',
      evidence: ['1366 from s2 to s1', '1365 from s3 to s1'],
    });
  });

  test('starts from where slots are, not from where they should be', () => {
    const ownedSlots = { s2: [{ start: 0, end: 99 }] };
    const plan = accepted(reshard(rebalance(), { ownedSlots }));
    // The same slots, and yet a next layout: otherwise they would stay where they are.
    expect(plan.layout).toEqual({ ...three, number: plan.layout.number });
    expect(plan.layout.number).toBeGreaterThan(three.number);
    expect(plan.findings.find(({ rule }) => rule === 'slots-move')?.evidence).toEqual([
      '100 from s2 to s1',
    ]);
  });

  test('names the shards there are when one is unknown', () => {
    const plan = reshard(rebalance({ s9: 1, constructor: 1 }));
    expect(plan.ok).toBe(false);
    expect(!plan.ok && plan.refusals[0]?.message).toBe('Cluster shop has no shard s9.');
    expect(!plan.ok && plan.refusals[0]?.evidence).toEqual(['its shards are s1, s2, s3']);
  });

  test.each([{ s1: -1 }, { s1: Number.NaN }, { s1: 0, s2: 0, s3: 0 }])('refuses %j', (weights) => {
    expect(rulesOf(reshard(rebalance(weights)))).toEqual(['weight-valid']);
  });

  test('empties no shard where the masters that are left to vote could all go with a host', () => {
    const plan = reshard(rebalance({ s1: 0, s3: 2 }));
    expect(rulesOf(plan)).toContain('quorum-per-host');
    expect(!plan.ok && plan.alternatives).toEqual([
      '--weights s1=0.1,s3=2',
      'first redrover cluster scale shop --shards 3 --allow-weak-quorum, ' +
        'which accepts that losing one host may lose the majority of masters',
    ]);
    const remedies = plan.ok ? [] : plan.refusals.map(({ remedy }) => remedy);
    expect(remedies.join()).not.toContain('accept the risk with');
    expect(remedies.join()).not.toContain('--weights');
  });

  test('does as its advice says', () => {
    expect(reshard(rebalance({ s1: 0.1, s3: 2 })).ok).toBe(true);
    const spec = exampleSpec({}, { allowWeakQuorum: true });
    const hosts = exampleHosts(3);
    const scaled = planLayout({ spec, hosts, current: three, clusterId: 'id', number: 2 });
    expect(reshard(rebalance({ s1: 0 }), { spec, layout: accepted(scaled).layout }).ok).toBe(true);
  });

  test('empties a shard of weight 0 where enough others vote', () => {
    const spec = exampleSpec({ shards: 4 });
    const layout = created(spec, exampleHosts(4));
    const plan = accepted(reshard(rebalance({ s2: 0 }), { spec, layout, hosts: exampleHosts(4) }));
    expect(plan.layout.shards.map(({ slots }) => countSlots(slots))).toEqual([5462, 0, 5461, 5461]);
    expect(rulesOf(plan)).toContain('shard-without-slots');
  });
});

describe('rebalance by keys and memory', () => {
  /** Slots of s1 have more keys, and those of s3 larger ones. */
  const stats: SlotStats[] = Array.from({ length: SLOT_COUNT }, (_, slot) => {
    const keys = slot <= 5460 ? 12 : 10;
    return { slot, keys, bytes: keys * (slot > 10_922 ? 300 : 100) };
  });

  const loadsOf = (layout: Layout, of: 'keys' | 'bytes') =>
    layout.shards.map(({ slots }) =>
      stats
        .filter(({ slot }) => slots.some(({ start, end }) => slot >= start && slot <= end))
        .reduce((sum, each) => sum + each[of], 0),
    );

  test.each([
    ['keys', 'keys', 12],
    ['memory', 'bytes', 3000],
  ] as const)('makes the %s of shards equal to one largest slot', (by, of, largest) => {
    const plan = accepted(reshard({ kind: 'rebalance', by, weights: {} }, { stats }));
    const loads = loadsOf(plan.layout, of);
    const mean = loads.reduce((sum, load) => sum + load, 0) / loads.length;
    for (const load of loads) expect(Math.abs(load - mean)).toBeLessThanOrEqual(largest);
    const again = reshard({ kind: 'rebalance', by, weights: {} }, { stats, layout: plan.layout });
    expect(accepted(again).layout).toBe(plan.layout);
  });

  test.each([
    ['keys', /^s1: \+7,278 keys, then [+-]\d+ keys$/],
    ['memory', /^s3: \+6\.\d+ MiB, then [+-]\d+ bytes$|^s3: \+6\.\d+ MiB, then [+-][\d.]+ KiB$/],
  ] as const)('says how far the %s are from even shares, before and after', (by, line) => {
    const plan = accepted(reshard({ kind: 'rebalance', by, weights: {} }, { stats }));
    const told = plan.findings.find(({ rule }) => rule === 'loads');
    expect(told?.evidence).toContainEqual(expect.stringMatching(line));
  });

  test('balances what can be beside a slot that outweighs all', () => {
    const heavy = stats.map((each) => (each.slot === 7 ? { ...each, keys: 1_000_000 } : each));
    const plan = accepted(
      reshard({ kind: 'rebalance', by: 'keys', weights: {} }, { stats: heavy }),
    );
    const [s1, s2, s3] = plan.layout.shards.map(({ slots }) => countSlots(slots));
    expect(s1).toBe(1);
    expect(Math.abs((s2 ?? 0) - (s3 ?? 0))).toBeLessThan(250);
  });

  test('is refused while the keys of some slots are not known', () => {
    const some = stats.slice(5461);
    const plan = reshard({ kind: 'rebalance', by: 'keys', weights: {} }, { stats: some });
    expect(!plan.ok && plan.refusals[0]).toMatchObject({
      rule: 'slots-not-counted',
      message: 'Of 5461 slots it is not known how many keys they have.',
      evidence: ['slots of s1'],
    });
  });
});

describe('move slots', () => {
  const move = (slots: readonly (readonly [number, number])[], to: string): Reshard => ({
    kind: 'moveSlots',
    slots: slots.map(([start, end]) => ({ start, end })),
    to,
  });

  test('moves just these', () => {
    const plan = accepted(
      reshard(
        move(
          [
            [0, 99],
            [200, 200],
          ],
          's3',
        ),
      ),
    );
    expect(plan.layout.shards.map(({ slots }) => formatRanges(slots))).toEqual([
      '100-199 201-5460',
      '5461-10922',
      '0-99 200 10923-16383',
    ]);
    expect(plan.layout.nodes).toEqual(three.nodes);
  });

  test('says which are there already, and that nothing is to do when all are', () => {
    const some = accepted(reshard(move([[5400, 5500]], 's2')));
    const there = some.findings.find(({ rule }) => rule === 'slots-there-already');
    expect(there?.message).toBe('40 of the 101 slots are at s2 already.');
    expect(there?.evidence).toEqual(['5461-5500']);
    const all = accepted(reshard(move([[0, 99]], 's1')));
    expect(all.layout).toBe(three);
    expect(rulesOf(all)).toContain('nothing-to-do');
  });

  test('goes on with what another move has not brought yet', () => {
    const ownedSlots = { s2: [{ start: 0, end: 99 }] };
    const plan = accepted(reshard(move([[0, 99]], 's1'), { ownedSlots }));
    expect(plan.layout.number).toBeGreaterThan(three.number);
    expect(rulesOf(plan)).toContain('slots-move');
  });

  test.each<[string, Reshard, string]>([
    ['an unknown shard', move([[0, 1]], 's7'), 'shard-known'],
    ['no slots', move([], 's1'), 'slots-valid'],
    ['slot 16384', move([[0, SLOT_COUNT]], 's1'), 'slots-valid'],
    ['a range that is turned round', move([[9, 3]], 's1'), 'slots-valid'],
  ])('refuses %s', (_, change, rule) => {
    expect(rulesOf(reshard(change))).toEqual([rule]);
  });

  test('refuses a shard without nodes', () => {
    const layout = { ...three, nodes: three.nodes.filter((node) => node.shard !== 's3') };
    expect(rulesOf(reshard(move([[0, 1]], 's3'), { layout }))).toEqual(['shard-without-nodes']);
  });

  test('does not take the last slots of a shard that the majority needs', () => {
    expect(rulesOf(reshard(move([[0, 5460]], 's2')))).toContain('quorum-per-host');
  });
});

describe('spread', () => {
  const spread: Reshard = { kind: 'spread' };

  test('gives a new host its share with the fewest moves', () => {
    const plan = accepted(reshard(spread, { hosts: exampleHosts(4) }));
    expect(show(plan.layout)).toEqual([
      's1 h1:6379* h2:6380 0-5460',
      's2 h2:6379* h4:6380 5461-10922',
      's3 h3:6379* h1:6380 10923-16383',
    ]);
    expect(plan.layout.nodes.map(({ shard }) => shard)).toEqual(
      three.nodes.map(({ shard }) => shard),
    );
    expect(plan.findings.find(({ rule }) => rule === 'nodes-spread')?.evidence).toEqual([
      'h3:6380 (s2 replica) to h4',
    ]);
  });

  test('gives it masters, too, by other roles within shards', () => {
    const spec = exampleSpec({ shards: 6 });
    const layout = created(spec, exampleHosts(3));
    const plan = accepted(reshard(spread, { spec, layout, hosts: exampleHosts(4) }));
    const count = (host: string, role: string) =>
      plan.layout.nodes.filter((node) => node.host === host && node.preferredRole === role).length;
    const hosts = ['h1', 'h2', 'h3', 'h4'];
    expect(hosts.map((host) => count(host, 'master')).sort()).toEqual([1, 1, 2, 2]);
    expect(hosts.map((host) => count(host, 'master') + count(host, 'replica'))).toEqual([
      3, 3, 3, 3,
    ]);
    expect(new Set(plan.layout.nodes.map((node) => node.configEpoch)).size).toBe(7);
  });

  test('is done when it is done', () => {
    const plan = accepted(reshard(spread, { hosts: exampleHosts(5) }));
    const again = accepted(reshard(spread, { layout: plan.layout, hosts: exampleHosts(5) }));
    expect(again.layout).toBe(plan.layout);
    expect(rulesOf(again)).toContain('nothing-to-do');
    expect(accepted(reshard(spread)).layout).toBe(three);
  });

  test('leaves hosts alone that are drained, away, or not in the spec', () => {
    const hosts = exampleHosts(6).map((host) =>
      host.name === 'h5' ? { ...host, status: 'suspect' as const } : host,
    );
    const names = ['h1', 'h2', 'h3', 'h5', 'h6'];
    const spec = exampleSpec({}, { hosts: names });
    const layout = { ...three, drainedHosts: ['h2'] };
    const plan = accepted(reshard(spread, { spec, layout, hosts }));
    const on = (host: string) => plan.layout.nodes.filter((node) => node.host === host).length;
    expect(['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map(on)).toEqual([2, 2, 1, 0, 0, 1]);
    expect(plan.findings.find(({ rule }) => rule === 'host-not-used')?.evidence).toEqual([
      'h2 is drained',
      'h4 is not in the spec',
      'h5 is suspect',
    ]);
  });

  test('moves no node of a shard without a master that it could copy', () => {
    const seen = settledCluster(three);
    const nodes = Object.fromEntries(
      Object.entries(seen.nodes).map(([key, node]) => [
        key,
        key === 'h2:6379' ? { ...node, redis: undefined } : node,
      ]),
    );
    const observation = { ...seen, nodes };
    const plan = accepted(reshard(spread, { hosts: exampleHosts(4), observation }));
    const moved = plan.layout.nodes.filter(({ host }) => host === 'h4');
    expect(moved.map(({ shard }) => shard)).not.toContain('s2');
  });

  test('keeps members in different zones', () => {
    const spec = exampleSpec({ shards: 6 });
    const layout = created(spec, zonedHosts(['a', 'b', 'c']));
    const plan = accepted(
      reshard(spread, { spec, layout, hosts: zonedHosts(['a', 'b', 'c', 'a']) }),
    );
    expect(plan.layout.nodes.filter(({ host }) => host === 'h4')).toHaveLength(3);
    expect(rulesOf(plan)).not.toContain('same-zone');
  });

  test('takes pinned nodes along', () => {
    const nodes = three.nodes.map(({ host, port }) => ({
      host,
      port,
      shard: undefined,
      role: undefined,
    }));
    const spec = exampleSpec({ nodes });
    const plan = accepted(reshard(spread, { spec, hosts: exampleHosts(4) }));
    const after = specAfterReshard(spec, { before: three, after: plan.layout });
    expect(after.nodes.map(({ host, port }) => `${host}:${port}`)).toEqual(
      plan.layout.nodes.map(({ key }) => key),
    );
  });
});
