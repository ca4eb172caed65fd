import { describe, expect, test } from 'vitest';
import type { Host } from '../model/host.ts';
import type { Layout } from '../model/layout.ts';
import { countSlots, formatRanges, normalizeRanges } from '../model/slots.ts';
import type { ClusterSpec, PinnedNode, PlacementSpec } from '../model/spec.ts';
import { isAcceptable, lintLayout } from './lint-layout.ts';
import type { LayoutPlan } from './layout-plan.ts';
import type { LayoutRequest } from './plan-layout.ts';
import { planLayout } from './plan-layout.ts';
import { describeSpecChange } from './scale/describe-spec-change.ts';
import { exampleHosts, exampleSpec, planNew } from './testing/examples.ts';
import { settledCluster } from './testing/settled-cluster.ts';

type Accepted = Extract<LayoutPlan, { ok: true }>;

function created(spec: ClusterSpec, hosts: readonly Host[]): Layout {
  return accepted(planNew(spec, hosts)).layout;
}

function accepted(plan: LayoutPlan): Accepted {
  if (!plan.ok) throw new Error(plan.refusals.map(({ message }) => message).join('\n'));
  return plan;
}

function scale(
  current: Layout,
  size: Partial<Omit<ClusterSpec, 'placement'>>,
  more: Partial<LayoutRequest> & { readonly placement?: Partial<PlacementSpec> } = {},
): LayoutPlan {
  const { placement = {}, ...fields } = more;
  const shards = current.shards.length;
  const replicas = current.nodes.length / shards - 1;
  return planLayout({
    spec: exampleSpec({ shards, replicas, ...size }, placement),
    hosts: exampleHosts(3),
    current,
    clusterId: 'id',
    number: 2,
    ...fields,
  });
}

function show({ shards, nodes }: Layout): string[] {
  return shards.map(({ id, slots }) => {
    const members = nodes.filter((node) => node.shard === id);
    const keys = members.map((node) => node.key + (node.preferredRole === 'master' ? '*' : ''));
    return `${id} ${keys.join(' ')} ${countSlots(slots)}`;
  });
}

describe('more shards', () => {
  const three = created(exampleSpec(), exampleHosts(3));

  test('a fourth on three hosts breaks the majority: refused with what would hold', () => {
    const plan = scale(three, { shards: 4 });
    expect(plan.ok).toBe(false);
    if (plan.ok) return;
    expect(plan.refusals.map(({ rule }) => rule)).toEqual(['quorum-per-host']);
    expect(plan.alternatives).toEqual([
      '1 more host like h1 (4 in all)',
      '5 shards',
      '--allow-weak-quorum',
    ]);
    // It is said once, by the alternatives.
    expect(plan.refusals.map(({ remedy }) => remedy)).toEqual(['']);
  });

  test('the risk accepted, it is done: equal parts of all masters, and nothing else is moved', () => {
    const plan = accepted(scale(three, { shards: 4 }, { placement: { allowWeakQuorum: true } }));
    const { layout } = plan;
    expect(show(layout)).toMatchInlineSnapshot(`
      [
        "s1 h1:6379* h2:6380 4096",
        "s2 h2:6379* h3:6380 4096",
        "s3 h3:6379* h1:6380 4096",
        "s4 h1:6381* h3:6381 4096",
      ]
    `);
    expect(layout.nodes.slice(0, 6)).toEqual(three.nodes);
    expect(layout.shards.map(({ slots }) => formatRanges(slots))).toMatchInlineSnapshot(`
      [
        "0-4095",
        "6827-10922",
        "10923-15018",
        "4096-6826 15019-16383",
      ]
    `);
    expect(plan.findings.map(({ rule }) => rule)).toMatchInlineSnapshot(`
      [
        "quorum-per-host",
        "memory-not-checked",
      ]
    `);
  });

  test('on a fourth host', () => {
    const plan = accepted(scale(three, { shards: 4 }, { hosts: exampleHosts(4) }));
    expect(show(plan.layout)).toMatchInlineSnapshot(`
      [
        "s1 h1:6379* h2:6380 4096",
        "s2 h2:6379* h3:6380 4096",
        "s3 h3:6379* h1:6380 4096",
        "s4 h4:6379* h1:6381 4096",
      ]
    `);
  });

  test('five on three hosts', () => {
    const plan = accepted(scale(three, { shards: 5 }));
    expect(show(plan.layout)).toMatchInlineSnapshot(`
      [
        "s1 h1:6379* h2:6380 3277",
        "s2 h2:6379* h3:6380 3277",
        "s3 h3:6379* h1:6380 3277",
        "s4 h1:6381* h3:6381 3277",
        "s5 h2:6381* h3:6382 3276",
      ]
    `);
    expect(plan.findings).toMatchInlineSnapshot(`
      [
        {
          "evidence": [],
          "message": "The spec sets no maxmemory, so whether the nodes fit into memory is not checked.",
          "remedy": "Set maxmemory in the spec.",
          "rule": "memory-not-checked",
          "severity": "info",
          "subject": "shop",
        },
      ]
    `);
  });

  test('one of many goes, without a look at every set of some of them', () => {
    const hosts = exampleHosts(16);
    const current = created(exampleSpec({ shards: 32 }), hosts);
    const plan = accepted(scale(current, { shards: 31 }, { hosts }));
    expect(plan.layout.shards).toHaveLength(31);
  });

  test('back to three', () => {
    const five = accepted(scale(three, { shards: 5 })).layout;
    const plan = accepted(scale(five, { shards: 3 }));
    expect(show(plan.layout)).toMatchInlineSnapshot(`
      [
        "s1 h1:6379* h2:6380 5462",
        "s2 h2:6379* h3:6380 5461",
        "s3 h3:6379* h1:6380 5461",
      ]
    `);
    expect(plan.findings).toMatchInlineSnapshot(`
      [
        {
          "evidence": [
            "s4: 3277 slots",
            "h1:6381 (s4 master)",
            "h3:6381 (s4 replica)",
            "s5: 3276 slots",
            "h2:6381 (s5 master)",
            "h3:6382 (s5 replica)",
          ],
          "message": "Shards s4, s5 will be removed, and 6553 slots moved to the others first: of all choices that keep the rules the one that moves the fewest slots and then stands the loss of a host best, the newest shards first.",
          "remedy": "",
          "rule": "shards-leave",
          "severity": "info",
          "subject": "s4, s5",
        },
        {
          "evidence": [],
          "message": "The spec sets no maxmemory, so whether the nodes fit into memory is not checked.",
          "remedy": "Set maxmemory in the spec.",
          "rule": "memory-not-checked",
          "severity": "info",
          "subject": "shop",
        },
      ]
    `);
    const again = accepted(scale(plan.layout, { shards: 5 }, { usedShardIds: ['s1', 's4', 's5'] }));
    expect(show(again.layout)).toMatchInlineSnapshot(`
      [
        "s1 h1:6379* h2:6380 3277",
        "s2 h2:6379* h3:6380 3277",
        "s3 h3:6379* h1:6380 3277",
        "s6 h1:6381* h3:6381 3277",
        "s7 h2:6381* h3:6382 3276",
      ]
    `);
  });

  test('two replicas', () => {
    const plan = accepted(scale(three, { replicas: 2 }));
    expect(show(plan.layout)).toMatchInlineSnapshot(`
      [
        "s1 h1:6379* h2:6380 h3:6381 5461",
        "s2 h2:6379* h3:6380 h1:6381 5462",
        "s3 h3:6379* h1:6380 h2:6381 5461",
      ]
    `);
    expect(plan.findings).toMatchInlineSnapshot(`
      [
        {
          "evidence": [],
          "message": "The spec sets no maxmemory, so whether the nodes fit into memory is not checked.",
          "remedy": "Set maxmemory in the spec.",
          "rule": "memory-not-checked",
          "severity": "info",
          "subject": "shop",
        },
      ]
    `);
    const back = accepted(scale(plan.layout, { replicas: 1 }));
    expect(show(back.layout)).toMatchInlineSnapshot(`
      [
        "s1 h1:6379* h2:6380 5461",
        "s2 h2:6379* h3:6380 5462",
        "s3 h3:6379* h1:6380 5461",
      ]
    `);
    expect(back.findings).toMatchInlineSnapshot(`
      [
        {
          "evidence": [
            "h3:6381 (s1 replica)",
            "h1:6381 (s2 replica)",
            "h2:6381 (s3 replica)",
          ],
          "message": "3 replicas will be removed: those without which the cluster stands the loss of a host best, lost ones first.",
          "remedy": "",
          "rule": "replicas-leave",
          "severity": "info",
          "subject": "shop",
        },
        {
          "evidence": [],
          "message": "The spec sets no maxmemory, so whether the nodes fit into memory is not checked.",
          "remedy": "Set maxmemory in the spec.",
          "rule": "memory-not-checked",
          "severity": "info",
          "subject": "shop",
        },
      ]
    `);
  });
});

describe('what the hosts allow', () => {
  const three = created(exampleSpec(), exampleHosts(3));
  const rulesOf = (plan: LayoutPlan) =>
    (plan.ok ? plan.findings : plan.refusals).map(({ rule }) => rule);

  test('new nodes go neither to drained hosts nor to those that are away or not in the spec', () => {
    const current = { ...three, drainedHosts: ['h1'] };
    const hosts = exampleHosts(7).map((host) =>
      host.name === 'h5' ? { ...host, status: 'suspect' as const } : host,
    );
    const names = ['h1', 'h2', 'h3', 'h4', 'h5', 'h7'];
    const plan = accepted(scale(current, { shards: 5 }, { hosts, placement: { hosts: names } }));
    const added = plan.layout.nodes.slice(6).map(({ host }) => host);
    expect(added).toHaveLength(4);
    expect(added.filter((host) => ['h1', 'h5', 'h6'].includes(host))).toEqual([]);
    expect(plan.layout.drainedHosts).toEqual(['h1']);
  });

  test('a shard keeps the replica that runs while the host of the other is drained', () => {
    const two = accepted(scale(three, { replicas: 2 })).layout;
    const master = two.nodes.find(
      ({ shard, preferredRole }) => shard === 's1' && preferredRole === 'master',
    );
    const current = { ...two, drainedHosts: [master?.host ?? ''] };
    const plan = accepted(scale(current, { replicas: 1 }));
    for (const { id } of plan.layout.shards) {
      const hosts = plan.layout.nodes.filter(({ shard }) => shard === id).map(({ host }) => host);
      expect(hosts.some((host) => host !== master?.host)).toBe(true);
    }
  });

  test('of two replicas that on a lost host goes', () => {
    const two = accepted(scale(three, { replicas: 2 })).layout;
    const hosts = exampleHosts(3).map((host) =>
      host.name === 'h3' ? { ...host, status: 'lost' as const } : host,
    );
    const plan = accepted(scale(two, { replicas: 1 }, { hosts }));
    const left = plan.layout.nodes.filter(({ host }) => host === 'h3');
    expect(left.map(({ preferredRole }) => preferredRole)).toEqual(['master']);
  });

  test('an unknown host in the list is refused', () => {
    const plan = scale(three, { shards: 5 }, { placement: { hosts: ['h1', 'h2', 'h3', 'h9'] } });
    expect(rulesOf(plan)).toEqual(['host-known']);
  });

  test('a host with nodes that stay cannot be left out of the list', () => {
    const hosts = exampleHosts(5);
    const names = ['h1', 'h2', 'h4', 'h5'];
    const plan = scale(three, { shards: 5 }, { hosts, placement: { hosts: names } });
    expect(rulesOf(plan)).toContain('change-not-supported');
  });

  test('ports of nodes that are still there are not given to new ones', () => {
    const four = accepted(scale(three, { shards: 5 })).layout;
    const observation = settledCluster(four);
    const plan = accepted(scale(three, { shards: 5 }, { observation }));
    const before = new Set(four.nodes.map(({ key }) => key));
    expect(plan.layout.nodes.slice(6).filter(({ key }) => before.has(key))).toEqual([]);
  });

  test('other masters within their shards, where only that makes it a layout', () => {
    const spec = exampleSpec({ shards: 4 }, { allowWeakQuorum: true });
    const weak = created(spec, exampleHosts(4));
    // All masters but one are on h1 and h2, as an operator once accepted.
    const hostsOf: readonly (readonly string[])[] = [
      ['h1', 'h3'],
      ['h1', 'h4'],
      ['h2', 'h3'],
      ['h2', 'h4'],
    ];
    const nodes = weak.nodes.map((node, index) => {
      const shard = Math.floor(index / 2);
      const host = hostsOf[shard]?.[index % 2] ?? '';
      const port = 7000 + shard;
      return { ...node, host, port, busPort: port + 10_000, key: `${host}:${port}` };
    });
    const plan = accepted(scale({ ...weak, nodes }, { shards: 3 }, { hosts: exampleHosts(4) }));
    expect(rulesOf(plan)).toContain('roles-rearranged');
    expect(isAcceptable(lintLayout(plan.layout, exampleHosts(4)))).toBe(true);
    expect(plan.layout.nodes.every(({ key }) => nodes.some((node) => node.key === key))).toBe(true);
  });

  test('a node moves only where nothing else helps, and that is said', () => {
    const five = accepted(scale(three, { shards: 5 })).layout;
    const plan = accepted(scale(five, { shards: 4 }, { hosts: exampleHosts(4) }));
    const moved = plan.findings.find(({ rule }) => rule === 'nodes-moved');
    expect(moved?.severity).toBe('warning');
    expect(moved?.evidence).toHaveLength(1);
    expect(isAcceptable(lintLayout(plan.layout, exampleHosts(4)))).toBe(true);
  });
});

describe('where slots are', () => {
  const three = created(exampleSpec(), exampleHosts(3));

  test('a shard that was given no slots is the first to go', () => {
    const five = accepted(scale(three, { shards: 5 })).layout;
    const [s1, ...others] = five.shards;
    const [s2] = others;
    const slots = normalizeRanges([...(s1?.slots ?? []), ...(s2?.slots ?? [])]);
    const shards = five.shards.map((shard) => {
      if (shard.id === 's1') return { ...shard, slots: [] };
      return shard.id === 's2' ? { ...shard, slots } : shard;
    });
    const options = { placement: { allowWeakQuorum: true } };
    const plan = accepted(scale({ ...five, shards }, { shards: 4 }, options));
    expect(plan.layout.shards.map(({ id }) => id)).toEqual(['s2', 's3', 's4', 's5']);
  });

  test('unequal shares were meant: those that stay keep their proportions', () => {
    const shards = [
      { id: 's1', slots: [{ start: 0, end: 8191 }] },
      { id: 's2', slots: [{ start: 8192, end: 12_287 }] },
      { id: 's3', slots: [{ start: 12_288, end: 16_383 }] },
    ];
    const plan = accepted(scale({ ...three, shards }, { shards: 4 }, { hosts: exampleHosts(4) }));
    expect(plan.layout.shards.map(({ slots }) => countSlots(slots))).toEqual([
      6144, 3072, 3072, 4096,
    ]);
  });

  test('a growth that was cut short and is taken back brings slots home', () => {
    const plan = accepted(scale(three, { shards: 4 }, { hosts: exampleHosts(4) }));
    const [s1, s2, s3] = three.shards;
    const ownedSlots = {
      s4: [{ start: 4096, end: 4195 }],
      s1: s1?.slots ?? [],
      s2: s2?.slots ?? [],
      s3: s3?.slots ?? [],
    };
    const back = accepted(
      scale(plan.layout, { shards: 3 }, { hosts: exampleHosts(4), ownedSlots }),
    );
    expect(back.layout.shards.map(({ id }) => id)).toEqual(['s1', 's2', 's3']);
    expect(back.layout.shards).toEqual(three.shards);
  });
});

describe('pinned nodes', () => {
  const pin = (host: string, port: number, fields: Partial<PinnedNode> = {}): PinnedNode => ({
    host,
    port,
    shard: undefined,
    role: undefined,
    ...fields,
  });
  const six = ['h1', 'h2', 'h3'].flatMap((host) => [pin(host, 7000), pin(host, 7001)]);
  const current = created(exampleSpec({ nodes: six }), exampleHosts(3));

  test('new ones of the list get the new shard, on the ports that it says', () => {
    const nodes = [...six, pin('h4', 8000), pin('h1', 9000)];
    const plan = accepted(scale(current, { shards: 4, nodes }, { hosts: exampleHosts(4) }));
    expect(plan.layout.nodes.slice(0, 6)).toEqual(current.nodes);
    expect(plan.layout.nodes.slice(6).map((node) => `${node.key} ${node.preferredRole}`)).toEqual([
      'h4:8000 master',
      'h1:9000 replica',
    ]);
  });

  test('shards and roles that it gives are obeyed, or refused where rules break', () => {
    const added = [pin('h4', 8000, { role: 'replica' }), pin('h1', 9000)];
    const refused = scale(
      current,
      { shards: 4, nodes: [...six, ...added] },
      { hosts: exampleHosts(4) },
    );
    expect(!refused.ok && refused.refusals.map(({ rule }) => rule)).toContain('quorum-per-host');
    const replicas = ['h1', 'h2', 'h3'].map((host, index) =>
      pin(host, 9000, { shard: ((index + 1) % 3) + 1 }),
    );
    const plan = scale(current, { replicas: 2, nodes: [...six, ...replicas] });
    const shards = accepted(plan).layout.nodes.filter(({ port }) => port === 9000);
    expect(new Set(shards.map(({ shard }) => shard)).size).toBe(3);
  });

  test('a shard of which none is listed goes', () => {
    const five = accepted(
      scale(current, {
        shards: 5,
        nodes: [...six, pin('h1', 8000), pin('h2', 8000), pin('h2', 8001), pin('h3', 8001)],
      }),
    ).layout;
    const leaving = new Set(['s2', 's4']);
    const nodes = five.nodes
      .filter(({ shard }) => !leaving.has(shard))
      .map(({ host, port }) => pin(host, port));
    const plan = scale(five, { shards: 3, nodes }, { placement: { allowWeakQuorum: true } });
    expect(accepted(plan).layout.shards.map(({ id }) => id)).toEqual(['s1', 's3', 's5']);
  });

  test('a list that leaves out one of the members that a shard needs is refused', () => {
    const nodes = [...six.slice(1), pin('h1', 9000), pin('h1', 9001), pin('h2', 9001)];
    const plan = scale(current, { shards: 4, nodes });
    expect(!plan.ok && plan.refusals[0]?.message).toContain('nodes are not moved by changing');
  });
});

test.each([
  [{ shards: 4 }, 'scale to 4 shards'],
  [{ replicas: 2 }, 'scale to 2 replicas a shard'],
  [{ shards: 5, replicas: 0 }, 'scale to 5 shards with 0 replicas each'],
  [{}, ''],
])('%j is described as "%s"', (fields, text) => {
  expect(describeSpecChange(exampleSpec(), exampleSpec(fields))).toBe(text);
});
