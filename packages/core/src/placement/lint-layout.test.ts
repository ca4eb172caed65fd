import { describe, expect, test } from 'vitest';
import type { Host } from '../model/host.ts';
import type { Layout, LayoutNode } from '../model/layout.ts';
import { isAcceptable, lintLayout } from './lint-layout.ts';
import {
  exampleHost,
  exampleHosts,
  exampleSpec,
  hostFacts,
  planNew,
  zonedHosts,
} from './testing/examples.ts';

const MEBIBYTE = 1024 ** 2;

function goodLayout(hosts: readonly Host[] = exampleHosts(3)): Layout {
  const plan = planNew(exampleSpec({ maxmemoryBytes: 256 * MEBIBYTE }), hosts);
  if (!plan.ok) throw new Error('the example has no layout');
  return plan.layout;
}

/** The layout with one node changed; its names follow host and port unless they are given. */
function withNode(layout: Layout, index: number, fields: Partial<LayoutNode>): Layout {
  const nodes = layout.nodes.map((node, at) => {
    if (at !== index) return node;
    const moved = { ...node, ...fields };
    const key = `${moved.host}:${moved.port}`;
    return { ...moved, key, busPort: moved.port + 10_000, ...fields };
  });
  return { ...layout, nodes };
}

function rulesOf(layout: Layout, hosts: readonly Host[] = exampleHosts(3)): string[] {
  return lintLayout(layout, hosts).map((finding) => `${finding.severity} ${finding.rule}`);
}

describe('lintLayout', () => {
  const layout = goodLayout();

  test('finds nothing in a good layout', () => {
    expect(lintLayout(layout, exampleHosts(3))).toEqual([]);
  });

  test('accepts the empty layout of a removal', () => {
    expect(isAcceptable(lintLayout({ ...layout, shards: [], nodes: [] }, []))).toBe(true);
  });

  const [s1, s2, s3] = layout.shards;
  const shards = (...list: (Layout['shards'][number] | undefined)[]) => ({
    ...layout,
    shards: list.filter((shard) => shard !== undefined),
  });

  test.each<[string, Layout, string]>([
    ['a gap in the slots', shards(s1, s2, { id: 's3', slots: [] }), 'slots-covered'],
    ['a slot with two shards', shards(s1, s2, s3, s1), 'slots-owned-once'],
    [
      'slots that do not exist',
      shards(s1, s2, { id: 's3', slots: [{ start: 9, end: 16384 }] }),
      'slots-valid',
    ],
    ['a shard listed twice', shards(s1, s2, s3, s1), 'shard-once'],
    ['a node of no shard', withNode(layout, 1, { shard: 's9' }), 'shard-known'],
    ['two masters', withNode(layout, 1, { preferredRole: 'master', configEpoch: 9 }), 'one-master'],
    ['no master', withNode(layout, 0, { preferredRole: 'replica', configEpoch: 0 }), 'one-master'],
    [
      'a node twice',
      { ...layout, nodes: [...layout.nodes, ...layout.nodes.slice(1, 2)] },
      'node-once',
    ],
    ['a wrong key', withNode(layout, 0, { key: 'h2:6379' }), 'node-key'],
    ['a wrong bus port', withNode(layout, 0, { busPort: 16_000 }), 'bus-port'],
    ['equal epochs', withNode(layout, 0, { configEpoch: 2 }), 'epochs-distinct'],
    ['no epoch', withNode(layout, 0, { configEpoch: 0 }), 'epoch-valid'],
    ["a replica's epoch", withNode(layout, 1, { configEpoch: 7 }), 'replica-epoch'],
    ['an unknown host', withNode(layout, 0, { host: 'h9' }), 'host-known'],
    ['a port above 55535', withNode(layout, 0, { port: 60_000 }), 'port-valid'],
    ['port 0', withNode(layout, 0, { port: 0 }), 'port-valid'],
    ['equal ports', withNode(layout, 0, { port: 6380 }), 'port-distinct'],
    ['a port that is a bus port', withNode(layout, 0, { port: 16_380 }), 'port-distinct'],
    ['two members on one host', withNode(layout, 1, { host: 'h1', port: 7000 }), 'same-host'],
    [
      'two masters on one of three hosts',
      withNode(layout, 2, { host: 'h1', port: 7000 }),
      'quorum-per-host',
    ],
  ])('finds %s', (_, broken, rule) => {
    expect(rulesOf(broken)).toContain(`critical ${rule}`);
  });

  test('finds ports and bus ports that others use', () => {
    const used = exampleHosts(3).map((host) => ({ ...host, usedPorts: [6379, 16_380] }));
    expect(rulesOf(layout, used).filter((rule) => rule === 'critical port-free')).toHaveLength(6);
  });

  test('finds too little memory, and memory that is not known', () => {
    const small = exampleHosts(3).map((host) => ({ ...host, facts: hostFacts(1024 * MEBIBYTE) }));
    expect(rulesOf(layout, small)).toContain('critical memory-fits');
    const unknown = exampleHosts(3).map((host) => ({ ...host, facts: undefined }));
    expect(rulesOf(layout, unknown)).toContain('warning memory-unknown');
    expect(rulesOf({ ...layout, maxmemoryBytes: undefined })).toEqual(['info memory-not-checked']);
  });

  test('warns of hosts that are away, of missing replicas, and of none at all', () => {
    const [h1, ...others] = exampleHosts(3);
    const away = [exampleHost('h1', { ...h1, status: 'lost' }), ...others];
    expect(rulesOf(layout, away)).toEqual(['warning host-online']);
    const masters = layout.nodes.filter((node) => node.preferredRole === 'master');
    expect(rulesOf({ ...layout, nodes: masters })).toEqual(['warning no-replicas']);
    expect(rulesOf({ ...layout, nodes: layout.nodes.slice(0, -1) })).toEqual([
      'warning replicas-equal',
    ]);
  });

  test('only warns of risks that were accepted by name', () => {
    const broken = withNode(withNode(layout, 1, { host: 'h1', port: 7000 }), 2, {
      host: 'h1',
      port: 7001,
    });
    expect(isAcceptable(lintLayout(broken, exampleHosts(3)))).toBe(false);
    const accepted = { ...broken, allowSameHost: true, allowWeakQuorum: true };
    expect(rulesOf(accepted)).toEqual(['warning same-host', 'warning quorum-per-host']);
  });

  test('keeps members and quorum apart by zone only where all hosts have one, and enough', () => {
    const ring = ['a', 'a', 'b', 'b', 'c', 'c'];
    const hosts = zonedHosts(ring);
    const sixHosts: Layout = {
      ...layout,
      nodes: layout.nodes.map((node, index) => ({
        ...node,
        host: `h${index + 1}`,
        key: `h${index + 1}:${node.port}`,
        address: `10.0.0.${index + 1}`,
      })),
    };
    expect(rulesOf(sixHosts, hosts)).toEqual(Array(3).fill('critical same-zone'));
    const unlabelled = hosts.map((host, index) => (index === 5 ? exampleHost('h6') : host));
    expect(rulesOf(sixHosts, unlabelled)).toEqual([]);
    const crowded = zonedHosts(['a', 'b', 'a', 'c', 'c', 'b']);
    expect(rulesOf(sixHosts, crowded)).toEqual(['critical quorum-per-zone']);
    const oneZone = zonedHosts(ring.map(() => 'a'));
    expect(rulesOf(sixHosts, oneZone)).toEqual([]);
  });
});
