import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { busPortOf, nodeKey, type Layout, type LayoutNode } from '../model/layout.ts';
import { layoutOf } from '../planning/testing/examples.ts';
import { effectiveRoles } from './effective-roles.ts';

// s1: h1:6379 (master), h2:6379; s2: h2:6380 (master), h3:6379; s3: h3:6380 (master), h1:6380.
const layout = layoutOf({ hosts: 3, shards: 3, replicas: 1 });

function rolesOf(drainedHosts: readonly string[], of: Layout = layout) {
  return Object.fromEntries(effectiveRoles({ ...of, drainedHosts }));
}

describe('effective roles', () => {
  it('are the preferred ones when no host is drained', () => {
    const preferred = layout.nodes.map((node) => [node.key, node.preferredRole]);
    expect(rolesOf([])).toEqual(Object.fromEntries(preferred));
  });

  it('stop the nodes of a drained host, and let a replica act for its master', () => {
    expect(rolesOf(['h1'])).toEqual({
      'h1:6379': 'stopped',
      'h2:6379': 'master',
      'h2:6380': 'master',
      'h3:6379': 'replica',
      'h3:6380': 'master',
      'h1:6380': 'stopped',
    });
  });

  it('have no master for a shard of which nothing is left', () => {
    expect(rolesOf(['h1', 'h2'])['h2:6379']).toBe('stopped');
    expect(Object.values(rolesOf(['h1', 'h2', 'h3']))).toEqual(Array(6).fill('stopped'));
  });

  it('spread what a first fit would gather', () => {
    // Both shards of h1 could go to h2; only the first can go to h3 as well.
    const nodes = [
      ...shardOf('s1', ['h1', 'h2', 'h3']),
      ...shardOf('s2', ['h1', 'h2']),
      ...shardOf('s3', ['h4', 'h3']),
    ];
    expect(rolesOf(['h1'], withNodes(nodes))).toMatchObject({
      'h3:6379': 'master',
      'h2:6380': 'master',
    });
  });

  it('have the least Σ masters² that any choice has, and change no shard without need', () => {
    fc.assert(
      fc.property(exampleLayouts(), (example) => {
        const roles = effectiveRoles(example);
        expect(squares(mastersOf(example, roles))).toBe(leastSquares(example));
        for (const { key, host, preferredRole } of example.nodes) {
          const stopped = example.drainedHosts.includes(host);
          expect(roles.get(key) === 'stopped').toBe(stopped);
          const home = preferredRole === 'master' && !stopped;
          expect(roles.get(key) === 'master' || !home).toBe(true);
        }
        expect([...effectiveRoles(example)]).toEqual([...roles]);
      }),
    );
  });
});

function shardOf(shard: string, hosts: readonly string[]): LayoutNode[] {
  return hosts.map((host, member) => {
    const port = 6378 + Number(shard.slice(1));
    return {
      key: nodeKey(host, port),
      host,
      address: host,
      port,
      busPort: busPortOf(port),
      shard,
      preferredRole: member === 0 ? 'master' : 'replica',
      configEpoch: 0,
    };
  });
}

function withNodes(nodes: readonly LayoutNode[]): Layout {
  const ids = [...new Set(nodes.map((node) => node.shard))];
  return { ...layout, nodes, shards: ids.map((id) => ({ id, slots: [] })) };
}

/** Small enough to try every choice. */
function exampleLayouts(): fc.Arbitrary<Layout> {
  const hosts = ['h1', 'h2', 'h3', 'h4', 'h5'];
  const members = fc.shuffledSubarray(hosts, { minLength: 1, maxLength: 4 });
  return fc
    .tuple(fc.array(members, { minLength: 1, maxLength: 6 }), fc.subarray(hosts))
    .map(([shards, drainedHosts]) => {
      const nodes = shards.flatMap((of, index) => shardOf(`s${index + 1}`, of));
      return { ...withNodes(nodes), drainedHosts };
    });
}

function mastersOf(of: Layout, roles: ReadonlyMap<string, string>): LayoutNode[] {
  return of.nodes.filter((node) => roles.get(node.key) === 'master');
}

function squares(masters: readonly LayoutNode[]): number {
  const counts = [...Map.groupBy(masters, (node) => node.host).values()];
  return counts.reduce((sum, nodes) => sum + nodes.length ** 2, 0);
}

function leastSquares(of: Layout): number {
  const choices = of.shards.map(({ id }) => {
    const left = of.nodes.filter(
      (node) => node.shard === id && !of.drainedHosts.includes(node.host),
    );
    const preferred = left.filter((node) => node.preferredRole === 'master');
    return preferred.length > 0 ? preferred : left;
  });
  const least = (index: number, masters: readonly LayoutNode[]): number => {
    const open = choices[index];
    if (open === undefined) return squares(masters);
    if (open.length === 0) return least(index + 1, masters);
    return Math.min(...open.map((node) => least(index + 1, [...masters, node])));
  };
  return least(0, []);
}
