import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Host } from '../model/host.ts';
import type { Layout } from '../model/layout.ts';
import { isAcceptable, lintLayout } from './lint-layout.ts';
import type { LayoutPlan } from './layout-plan.ts';
import { planReshard } from './plan-reshard.ts';
import { exampleHost, exampleSpec, planNew } from './testing/examples.ts';

interface Case {
  readonly layout: Layout;
  /** Those of the layout, and new ones. */
  readonly hosts: readonly Host[];
}

/** Clusters that were placed well, and to whose hosts others were added. */
const cases: fc.Arbitrary<Case> = fc
  .record({
    zones: fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 3, maxLength: 6 }),
    added: fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 4 }),
    zoned: fc.boolean(),
    shards: fc.integer({ min: 3, max: 9 }),
    replicas: fc.nat({ max: 2 }),
    allowWeakQuorum: fc.boolean(),
  })
  .map(({ zones, added, zoned, shards, replicas, allowWeakQuorum }) => {
    const hosts = [...zones, ...added].map((zone, index) =>
      exampleHost(`h${index}`, { labels: zoned ? { zone } : {} }),
    );
    const spec = exampleSpec({ shards, replicas }, { allowWeakQuorum });
    return { hosts, plan: planNew(spec, hosts.slice(0, zones.length)) };
  })
  .filter(({ plan }) => plan.ok)
  .map(({ hosts, plan }) => ({ hosts, layout: layoutOf(plan) }));

function layoutOf(plan: LayoutPlan): Layout {
  if (!plan.ok) throw new Error(plan.refusals.map(({ message }) => message).join('\n'));
  return plan.layout;
}

function spread({ layout, hosts }: Case): LayoutPlan {
  const { shards, nodes, allowWeakQuorum } = layout;
  const replicas = nodes.length / shards.length - 1;
  return planReshard({
    change: { kind: 'spread' },
    spec: exampleSpec({ shards: shards.length, replicas }, { allowWeakQuorum }),
    layout,
    hosts,
    ownedSlots: {},
    number: 2,
  });
}

function countOn({ nodes }: Layout, host: Host, masters = false): number {
  return nodes.filter(
    (node) => node.host === host.name && (!masters || node.preferredRole === 'master'),
  ).length;
}

function movedNodes(before: Layout, after: Layout): number {
  return after.nodes.filter(({ key }, index) => before.nodes[index]?.key !== key).length;
}

function squares(layout: Layout, hosts: readonly Host[], masters = false): number {
  return hosts.reduce((sum, host) => sum + countOn(layout, host, masters) ** 2, 0);
}

/** Nodes that hosts have above their share, which nothing but a move takes away. */
function fewestMoves({ layout, hosts }: Case): number {
  const counts = hosts.map((host) => countOn(layout, host)).sort((a, b) => b - a);
  const share = Math.floor(layout.nodes.length / hosts.length);
  const more = layout.nodes.length % hosts.length;
  return counts.reduce(
    (sum, count, index) => sum + Math.max(0, count - share - Number(index < more)),
    0,
  );
}

describe('spread', () => {
  test('keeps the rules, the shards and the slots, and has no more moves than evenness needs', () => {
    fc.assert(
      fc.property(cases, (each) => {
        const plan = spread(each);
        const next = layoutOf(plan);
        expect(isAcceptable(plan.ok ? plan.findings : plan.refusals)).toBe(true);
        const stillGood = lintLayout(next, each.hosts).filter(
          ({ severity }) => severity === 'critical',
        );
        // Zones may have been too few before, and where nodes stay they still are.
        expect(stillGood.filter(({ rule }) => !rule.endsWith('zone'))).toEqual([]);
        expect(next.shards).toEqual(each.layout.shards);
        expect(next.nodes.map(({ shard }) => shard)).toEqual(
          each.layout.nodes.map(({ shard }) => shard),
        );
        expect(movedNodes(each.layout, next)).toBeLessThanOrEqual(fewestMoves(each));
        const { hosts, layout } = each;
        expect(squares(next, hosts)).toBeLessThanOrEqual(squares(layout, hosts));
        const rules = plan.ok ? plan.findings.map(({ rule }) => rule) : [];
        const counts = hosts.map((host) => countOn(next, host));
        const isEven = Math.max(...counts) - Math.min(...counts) <= 1;
        // A host takes one member of each shard at the most.
        const atMost = layout.shards.length;
        expect(isEven || rules.includes('spread-uneven') || Math.max(...counts) >= atMost).toBe(
          true,
        );
      }),
      { numRuns: 40 },
    );
  }, 60_000);

  test('without zones and with replicas, gets hosts as even as they can be', () => {
    fc.assert(
      fc.property(
        cases.filter(
          ({ hosts, layout }) =>
            hosts.every(({ labels }) => labels['zone'] === undefined) &&
            layout.nodes.length > layout.shards.length,
        ),
        (each) => {
          const next = layoutOf(spread(each));
          expect(movedNodes(each.layout, next)).toBe(fewestMoves(each));
          const counts = each.hosts.map((host) => countOn(next, host));
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 40 },
    );
  }, 60_000);

  test('is done when it is done', () => {
    fc.assert(
      fc.property(cases, (each) => {
        const layout = layoutOf(spread(each));
        expect(layoutOf(spread({ ...each, layout }))).toBe(layout);
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});
