import { describe, expect, test } from 'vitest';
import type { Host } from '../model/host.ts';
import type { Layout } from '../model/layout.ts';
import { formatRanges } from '../model/slots.ts';
import type { ClusterSpec, PinnedNode } from '../model/spec.ts';
import { isAcceptable, lintLayout } from './lint-layout.ts';
import { planLayout } from './plan-layout.ts';
import { exampleHost, exampleHosts, exampleSpec, planNew, zonedHosts } from './testing/examples.ts';

const GIBIBYTE = 1024 ** 3;

function layoutOf(spec: ClusterSpec, hosts: readonly Host[]): Layout {
  const plan = planNew(spec, hosts);
  if (!plan.ok) throw new Error(plan.refusals.map((finding) => finding.message).join('\n'));
  return plan.layout;
}

/** `s1: h1:6379 < h2:6380`: the master, then its replicas. */
function show(layout: Layout): string[] {
  return layout.shards.map(({ id }) => {
    const nodes = layout.nodes.filter((node) => node.shard === id);
    return `${id}: ${nodes.map((node) => node.key).join(' < ')}`;
  });
}

function refusalsOf(spec: ClusterSpec, hosts: readonly Host[]): string[] {
  const plan = planNew(spec, hosts);
  return plan.ok ? [] : plan.refusals.map((finding) => `${finding.rule}: ${finding.message}`);
}

function alternativesOf(spec: ClusterSpec, hosts: readonly Host[]): readonly string[] {
  const plan = planNew(spec, hosts);
  return plan.ok ? [] : plan.alternatives;
}

function pin(host: string, port: number, fields: Partial<PinnedNode> = {}): PinnedNode {
  return { host, port, shard: undefined, role: undefined, ...fields };
}

describe('the reference case, 3 hosts × (3 masters + 3 replicas)', () => {
  const layout = layoutOf(exampleSpec(), exampleHosts(3));

  test('gives each host a master on the first port and the replica of another on the next', () => {
    expect(show(layout)).toEqual([
      's1: h1:6379 < h2:6380',
      's2: h2:6379 < h3:6380',
      's3: h3:6379 < h1:6380',
    ]);
  });

  test('gives the shards all slots, and the masters distinct epochs', () => {
    expect(layout.shards.map((shard) => formatRanges(shard.slots))).toEqual([
      '0-5460',
      '5461-10922',
      '10923-16383',
    ]);
    expect(layout.nodes.map((node) => node.configEpoch)).toEqual([1, 0, 2, 0, 3, 0]);
  });

  test('says that memory was not checked', () => {
    const plan = planNew(exampleSpec(), exampleHosts(3));
    expect(plan.ok && plan.findings.map((finding) => finding.rule)).toEqual(['memory-not-checked']);
    expect(plan.ok && plan.quality?.optimal).toBe(true);
  });
});

describe('what cannot be kept is refused with what would work', () => {
  test('3 hosts × 4 shards', () => {
    const spec = exampleSpec({ shards: 4 });
    expect(refusalsOf(spec, exampleHosts(3))).toEqual([
      'quorum-per-host: Losing one host must leave a majority of the 4 masters, so a host may ' +
        'hold 1 of them at most; 3 hosts can hold only 3.',
    ]);
    expect(alternativesOf(spec, exampleHosts(3))).toEqual([
      '1 more host like h1 (4 in all)',
      '5 shards',
      '3 shards',
      '--allow-weak-quorum',
    ]);
  });

  test('2 hosts', () => {
    expect(refusalsOf(exampleSpec(), exampleHosts(2))[0]).toContain('2 hosts can hold only 2.');
    expect(alternativesOf(exampleSpec(), exampleHosts(2))).toEqual([
      '1 more host like h1 (3 in all)',
      '--allow-weak-quorum',
    ]);
  });

  test('1 host', () => {
    expect(refusalsOf(exampleSpec(), exampleHosts(1))).toEqual([
      'same-host: A master with 1 replica needs 2 different hosts, and 1 host can be used.',
      expect.stringContaining('quorum-per-host: '),
    ]);
    expect(alternativesOf(exampleSpec(), exampleHosts(1))).toEqual([
      '2 more hosts like h1 (3 in all)',
      '--allow-same-host with --allow-weak-quorum (for trials)',
    ]);
  });

  test('more replicas than hosts', () => {
    expect(alternativesOf(exampleSpec({ replicas: 3 }), exampleHosts(3))).toEqual([
      '1 more host like h1 (4 in all)',
      '2 replicas',
      '--allow-same-host (for trials)',
    ]);
  });

  test('too little memory', () => {
    const spec = exampleSpec({ maxmemoryBytes: 8 * GIBIBYTE });
    expect(refusalsOf(spec, exampleHosts(3))).toEqual([
      'memory-fits: 6 nodes that may use 12320 MiB each do not fit: there is memory for 3 where ' +
        'they may go.',
    ]);
    expect(alternativesOf(spec, exampleHosts(3))).toContain('maxmemory 4gb');
  });

  test('memory that is promised to other clusters', () => {
    const spec = exampleSpec({ maxmemoryBytes: 4 * GIBIBYTE });
    const busy = exampleHosts(3).map((host) => ({ ...host, reservedBytes: 8 * GIBIBYTE }));
    expect(refusalsOf(spec, exampleHosts(3))).toEqual([]);
    expect(refusalsOf(spec, busy)[0]).toContain('memory-fits');
  });

  test('memory that is not known yet', () => {
    const hosts = exampleHosts(3).map((host) => ({ ...host, facts: undefined }));
    const plan = planNew(exampleSpec({ maxmemoryBytes: GIBIBYTE }), hosts);
    expect(plan.ok).toBe(false);
    expect(!plan.ok && plan.refusals[0]?.evidence[0]).toBe('h1: its memory is not known yet');
  });

  test('ports above 55535', () => {
    const spec = exampleSpec({}, { basePort: 55_535 });
    expect(refusalsOf(spec, exampleHosts(3))[0]).toMatch(/^port-free: 6 nodes do not find ports/);
    expect(alternativesOf(spec, exampleHosts(3))).toContain('basePort 6379');
  });

  test('one large zone among small ones', () => {
    const refusals = refusalsOf(exampleSpec({ shards: 4 }), zonedHosts(['a', 'a', 'b', 'c']));
    expect(refusals[0]).toContain('quorum-per-zone: Losing one zone must leave a majority');
  });

  test('unknown and lost hosts by name', () => {
    const hosts = [...exampleHosts(3), exampleHost('h4', { status: 'lost' })];
    expect(refusalsOf(exampleSpec({}, { hosts: ['h1', 'h4', 'h9'] }), hosts)).toEqual([
      "host-known: Unknown host 'h9'; known hosts: h1, h2, h3, h4.",
      'host-online: Host h4 is lost: its agent has not been heard of for too long.',
    ]);
    const nodes = [6379, 6380, 6381].map((port) => pin('h9', port));
    expect(refusalsOf(exampleSpec({ replicas: 0, nodes }), hosts)[0]).toContain("host 'h9'");
  });

  test('no hosts at all', () => {
    expect(refusalsOf(exampleSpec(), [])).toEqual([
      'no-hosts: No host is online that the spec may use.',
    ]);
  });
});

describe('free placement', () => {
  test('uses online hosts only, and says which it left aside', () => {
    const hosts = [...exampleHosts(3), exampleHost('h4', { status: 'suspect' })];
    const plan = planNew(exampleSpec(), hosts);
    expect(plan.ok && plan.layout.nodes.some((node) => node.host === 'h4')).toBe(false);
    expect(plan.ok && plan.findings.map((finding) => finding.message)).toContain(
      'Host h4 is suspect and gets no nodes.',
    );
  });

  test('uses named hosts only', () => {
    const layout = layoutOf(exampleSpec({}, { hosts: ['h2', 'h4', 'h5'] }), exampleHosts(5));
    expect(new Set(layout.nodes.map((node) => node.host))).toEqual(new Set(['h2', 'h4', 'h5']));
  });

  test('counts h10 after h9', () => {
    const layout = layoutOf(exampleSpec({ shards: 11, replicas: 0 }), exampleHosts(11));
    expect(layout.nodes.map((node) => node.host)).toEqual(
      Array.from({ length: 11 }, (_, index) => `h${index + 1}`),
    );
  });

  test('goes around ports and bus ports that are in use', () => {
    const hosts = exampleHosts(3).map((host) => ({ ...host, usedPorts: [6379, 16_380, 6382] }));
    const ports = layoutOf(exampleSpec(), hosts).nodes.map((node) => node.port);
    expect(new Set(ports)).toEqual(new Set([6381, 6383]));
  });

  test('gives hosts with one address different ports', () => {
    const hosts = exampleHosts(3).map((host) => ({ ...host, address: '10.0.0.1' }));
    const ports = layoutOf(exampleSpec(), hosts).nodes.map((node) => node.port);
    expect(ports.toSorted((a, b) => a - b)).toEqual([6379, 6380, 6381, 6382, 6383, 6384]);
  });

  test('keeps the members of a shard in different zones', () => {
    const zones = ['a', 'a', 'b', 'b', 'c', 'c'];
    const layout = layoutOf(exampleSpec({ shards: 6, replicas: 2 }), zonedHosts(zones));
    for (const { id } of layout.shards) {
      const members = layout.nodes.filter((node) => node.shard === id);
      const used = members.map((node) => zones[Number(node.host.slice(1)) - 1]);
      expect(new Set(used).size).toBe(3);
    }
  });

  test('ignores zones that only some hosts have, and says so', () => {
    const hosts = [...zonedHosts(['a', 'a', 'b']), exampleHost('h4')];
    const plan = planNew(exampleSpec({ shards: 5 }), hosts);
    expect(plan.ok && plan.findings.map((finding) => finding.rule)).toContain('zones-not-used');
  });
});

describe('pinned nodes', () => {
  const classic = [6379, 6380, 6381, 7379, 7380, 7381].map((port) => pin('h1', port));
  const trial = { allowSameHost: true, allowWeakQuorum: true };

  test('the classic plan on one host pairs 6379 with 7379 and so on', () => {
    const layout = layoutOf(exampleSpec({ nodes: classic }, trial), exampleHosts(1));
    expect(show(layout)).toEqual([
      's1: h1:6379 < h1:7379',
      's2: h1:6380 < h1:7380',
      's3: h1:6381 < h1:7381',
    ]);
  });

  test('the classic plan is refused without the flags, rule by rule', () => {
    const refusals = refusalsOf(exampleSpec({ nodes: classic }), exampleHosts(1));
    expect(refusals).toContain('same-host: Shard s1 has 2 members on host h1; they fall together.');
    expect(refusals.at(-1)).toMatch(/^quorum-per-host: Host h1 holds 3 of 3 masters/);
    expect(alternativesOf(exampleSpec({ nodes: classic }), exampleHosts(1))).toEqual([
      '--allow-same-host with --allow-weak-quorum (for trials)',
    ]);
  });

  test('two nodes on each of three hosts are paired across hosts', () => {
    const nodes = ['h1', 'h2', 'h3'].flatMap((host) => [pin(host, 7000), pin(host, 7001)]);
    expect(show(layoutOf(exampleSpec({ nodes }), exampleHosts(3)))).toEqual([
      's1: h1:7000 < h2:7001',
      's2: h2:7000 < h3:7001',
      's3: h3:7000 < h1:7001',
    ]);
  });

  test('shards and roles that are given are kept', () => {
    const nodes = [
      pin('h1', 7000, { shard: 3, role: 'replica' }),
      pin('h1', 7001),
      pin('h2', 7000, { role: 'replica' }),
      pin('h2', 7001),
      pin('h3', 7000, { shard: 1 }),
      pin('h3', 7001, { role: 'replica' }),
    ];
    expect(show(layoutOf(exampleSpec({ nodes }), exampleHosts(3)))).toEqual([
      's1: h3:7000 < h2:7000',
      's2: h1:7001 < h3:7001',
      's3: h2:7001 < h1:7000',
    ]);
  });

  test('a port that is in use is refused, and so is a host that is lost', () => {
    const nodes = ['h1', 'h2', 'h3'].map((host) => pin(host, 7000));
    const spec = exampleSpec({ nodes, replicas: 0 });
    const used = exampleHosts(3).map((host) => ({ ...host, usedPorts: [17_000] }));
    expect(refusalsOf(spec, used)[0]).toContain('port-free: Port 17000 on h1, bus port of h1:7000');
    const lost = exampleHosts(3).map((host) => ({ ...host, status: 'lost' as const }));
    expect(refusalsOf(spec, lost)[0]).toContain('host-online: Host h1 is lost');
  });
});

describe('a cluster that exists', () => {
  const spec = exampleSpec();
  const current = layoutOf(spec, exampleHosts(3));
  const replan = (changed: ClusterSpec, hosts: readonly Host[]) =>
    planLayout({ spec: changed, hosts, current, clusterId: 'id', number: 2 });

  test('keeps its nodes when hosts were added or one is away', () => {
    const away = exampleHosts(5).map((host, index) =>
      index === 0 ? { ...host, status: 'lost' as const } : host,
    );
    const plan = replan(spec, away);
    expect(plan.ok && plan.layout).toEqual(current);
    expect(plan.ok && plan.findings.map((finding) => finding.rule)).toContain('host-online');
  });

  test('needs no other layout for another way of repairing', () => {
    const changed = exampleSpec({ repair: 'auto', repairQuietMs: 5000 });
    const plan = replan(changed, exampleHosts(3));
    expect(plan.ok && plan.layout).toEqual(current);
  });

  test('stays under maintenance', () => {
    const drained = { ...current, drainedHosts: ['h2'] };
    const plan = planLayout({
      spec: exampleSpec({ config: { hz: '20' } }),
      hosts: exampleHosts(3),
      current: drained,
      clusterId: 'id',
      number: 3,
    });
    expect(plan.ok && plan.layout).toEqual({ ...drained, number: 3, config: { hz: '20' } });
    expect(plan.ok && plan.findings.map((finding) => finding.rule)).toContain('drained-quorum');
  });

  test('is changed also while what was wrong before is wrong still', () => {
    const plan = replan(exampleSpec({ config: { hz: '20' } }), exampleHosts(2));
    const findings = plan.ok ? plan.findings : plan.refusals;
    expect(findings.find(({ rule }) => rule === 'host-known')?.severity).toBe('warning');
  });

  test('takes what needs no node to move from the spec', () => {
    const changed = exampleSpec({ release: 'redis-7.2.5', config: { hz: '20' } });
    const plan = replan(changed, exampleHosts(3));
    const expected = { ...current, number: 2, release: 'redis-7.2.5', config: { hz: '20' } };
    expect(plan.ok && plan.layout).toEqual(expected);
  });

  test('does not have its nodes moved', () => {
    const messages = (changed: ClusterSpec) => {
      const plan = replan(changed, exampleHosts(5));
      return plan.ok ? [] : plan.refusals.map((finding) => finding.message);
    };
    expect(messages(exampleSpec({}, { hosts: ['h1', 'h2', 'h4'] }))).toEqual([
      'Node h3:6380 (s2 replica) is not where the spec wants it.',
      'Node h3:6379 (s3 master) is not where the spec wants it.',
    ]);
  });

  test('is refused more memory than there is', () => {
    const plan = replan(exampleSpec({ maxmemoryBytes: 8 * GIBIBYTE }), exampleHosts(3));
    expect(plan.ok).toBe(false);
  });
});

describe('200 hosts and 1,000 nodes', () => {
  test.each([
    [500, 1],
    [250, 3],
  ])('%i shards with %i replicas are placed optimally', (shards, replicas) => {
    const hosts = exampleHosts(200);
    const plan = planNew(exampleSpec({ shards, replicas }), hosts);
    expect(plan.ok && plan.quality?.optimal).toBe(true);
    expect(plan.ok && isAcceptable(lintLayout(plan.layout, hosts))).toBe(true);
  });

  test('zones are kept apart and balanced', () => {
    const hosts = zonedHosts(Array.from({ length: 200 }, (_, index) => `zone-${index % 3}`));
    const plan = planNew(exampleSpec({ shards: 500 }), hosts);
    const measures = plan.ok ? plan.quality?.measures : [];
    for (const name of [
      'masters in one zone after losing one',
      'masters on one host after losing one',
      'balance of masters',
    ] as const) {
      const measure = measures?.find((entry) => entry.name === name);
      expect(measure?.reached).toBe(measure?.bound);
    }
  });
});
