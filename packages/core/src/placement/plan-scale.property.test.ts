import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Host } from '../model/host.ts';
import type { Layout, LayoutNode } from '../model/layout.ts';
import { splitSlotsEvenly } from '../model/slots.ts';
import type { ClusterSpec } from '../model/spec.ts';
import { hostBudgetBytes, nodeMemoryBytes } from './host-capacity.ts';
import { isAcceptable, lintLayout } from './lint-layout.ts';
import { planLayout } from './plan-layout.ts';
import { countByOwner, ownersOf } from './slots/slot-owners.ts';
import { fewestSlotsMoved } from './slots/slot-shares.ts';
import { measure } from './testing/brute-force.ts';
import { exampleHost, exampleSpec, hostFacts } from './testing/examples.ts';

const MEBIBYTE = 1024 ** 2;
const MAXMEMORY_BYTES = 256 * MEBIBYTE;

interface Case {
  readonly zones: readonly (string | undefined)[];
  /** The most nodes that each host takes; what it has already is not too much. */
  readonly rooms: readonly number[];
  /** Hosts of each shard's members, the master's first. */
  readonly places: readonly (readonly number[])[];
  readonly shards: number;
  readonly replicas: number;
  readonly allowWeakQuorum: boolean;
}

const cases: fc.Arbitrary<Case> = fc
  .record({
    hosts: fc.array(
      fc.record({
        zone: fc.constantFrom('a', 'b', 'c'),
        room: fc.oneof(fc.constant(9), fc.integer({ min: 0, max: 4 })),
      }),
      { minLength: 3, maxLength: 5 },
    ),
    zoned: fc.boolean(),
    members: fc.integer({ min: 1, max: 3 }),
    shards: fc.integer({ min: 3, max: 5 }),
    replicas: fc.nat({ max: 2 }),
    allowWeakQuorum: fc.boolean(),
  })
  .chain(({ hosts, members, zoned, ...size }) => {
    const place = fc.shuffledSubarray([...hosts.keys()], {
      minLength: members,
      maxLength: members,
    });
    return fc.array(place, { minLength: 3, maxLength: 5 }).map((places) => ({
      ...size,
      places,
      zones: hosts.map(({ zone }) => (zoned ? zone : undefined)),
      rooms: hosts.map(({ room }, host) =>
        Math.max(room, places.flat().filter((on) => on === host).length),
      ),
    }));
  })
  .filter((each) => isAcceptable(lintLayout(layoutOf(each), hostsOf(each))));

function specOf({ shards, replicas, allowWeakQuorum }: Case): ClusterSpec {
  return exampleSpec({ shards, replicas, maxmemoryBytes: MAXMEMORY_BYTES }, { allowWeakQuorum });
}

/** Memory for as many nodes as there is room. */
function hostsOf({ zones, rooms }: Case): Host[] {
  return zones.map((zone, index) => {
    const host = exampleHost(`h${index}`, {
      address: `10.0.0.${index}`,
      labels: zone === undefined ? {} : { zone },
      facts: hostFacts(32 * 1024 * MEBIBYTE),
    });
    const wanted = (rooms[index] ?? 0) * nodeMemoryBytes(MAXMEMORY_BYTES);
    return { ...host, reservedBytes: (hostBudgetBytes(host) ?? 0) - wanted };
  });
}

function layoutOf(each: Case): Layout {
  const spec = specOf(each);
  const nodes = each.places.flatMap((members, shard) =>
    members.map((host, member): LayoutNode => ({
      key: `h${host}:${7000 + shard}`,
      host: `h${host}`,
      address: `10.0.0.${host}`,
      port: 7000 + shard,
      busPort: 17_000 + shard,
      shard: `s${shard + 1}`,
      preferredRole: member === 0 ? 'master' : 'replica',
      configEpoch: member === 0 ? shard + 1 : 0,
    })),
  );
  return {
    cluster: spec.name,
    clusterId: 'id',
    number: 1,
    release: spec.release,
    shards: splitSlotsEvenly(each.places.length).map((range, index) => ({
      id: `s${index + 1}`,
      slots: [range],
    })),
    nodes,
    maxmemoryBytes: spec.maxmemoryBytes,
    nodeTimeoutMs: spec.nodeTimeoutMs,
    config: {},
    zoneLabel: 'zone',
    allowSameHost: false,
    allowWeakQuorum: spec.placement.allowWeakQuorum,
    drainedHosts: [],
  };
}

function plan(each: Case, current: Layout = layoutOf(each)) {
  return planLayout({
    spec: specOf(each),
    hosts: hostsOf(each),
    current,
    clusterId: 'id',
    number: 2,
  });
}

/** Whether the layout can be had with no node moved; `anyRoles`: with other masters perhaps. */
function isPossible(each: Case, anyRoles: boolean): boolean {
  const members = 1 + each.replicas;
  const fits = (shards: readonly (readonly number[])[]) =>
    measure({ ...each, allowSameHost: false }, shards) !== undefined;
  const hosts = [...each.zones.keys()];
  const visit = (from: number, chosen: readonly (readonly number[])[]): boolean => {
    if (chosen.length === each.shards) return fits(chosen);
    for (let index = from; index < each.places.length; index += 1) {
      // Leaving shards out is a choice only where there shall be fewer.
      const skipped = index - chosen.length;
      if (skipped > Math.max(0, each.places.length - each.shards)) return false;
      const own = each.places[index] ?? [];
      if (shapes(own, members, { hosts, anyRoles }).some((s) => visit(index + 1, [...chosen, s]))) {
        return true;
      }
    }
    if (chosen.length < Math.min(each.places.length, each.shards)) return false;
    return shapes([], members, { hosts, anyRoles: true }).some((s) =>
      visit(each.places.length, [...chosen, s]),
    );
  };
  return visit(0, []);
}

/** All ways in which a shard with these members can have that many. */
function shapes(
  own: readonly number[],
  members: number,
  { hosts, anyRoles }: { readonly hosts: readonly number[]; readonly anyRoles: boolean },
): number[][] {
  const sets = own.length > members ? subsets(own, members) : grown(own, members, hosts);
  return sets.flatMap((set) => {
    const masters = anyRoles || own.length === 0 ? set : set.filter((host) => host === own[0]);
    return masters.map((master) => [master, ...set.filter((host) => host !== master)]);
  });
}

function grown(own: readonly number[], members: number, hosts: readonly number[]): number[][] {
  const others = hosts.filter((host) => !own.includes(host));
  return subsets(others, members - own.length).map((added) => [...own, ...added]);
}

function subsets(items: readonly number[], size: number): number[][] {
  if (size === 0) return [[]];
  return items.flatMap((item, index) =>
    subsets(items.slice(index + 1), size - 1).map((rest) => [item, ...rest]),
  );
}

describe('planLayout, of a cluster that changes its size', () => {
  test('finds a layout whenever there is one with all nodes kept, and then keeps them', () => {
    fc.assert(
      fc.property(cases, (each) => {
        const current = layoutOf(each);
        const planned = plan(each);
        const [sameRoles, anyRoles] = [isPossible(each, false), isPossible(each, true)];
        expect(planned.ok || !anyRoles).toBe(true);
        const reasons = planned.ok ? [] : planned.refusals;
        expect(planned.ok || reasons.length > 0).toBe(true);
        const isAdvised = !planned.ok && planned.alternatives.length > 0;
        for (const { remedy } of reasons) expect(isAdvised || remedy !== '').toBe(true);
        if (!planned.ok) return;
        const { layout } = planned;
        expect(isAcceptable(planned.findings)).toBe(true);
        expect(layout.shards).toHaveLength(each.shards);
        expect(layout.nodes).toHaveLength(each.shards * (1 + each.replicas));
        const rules = planned.findings.map(({ rule }) => rule);
        expect(rules.includes('nodes-moved') && anyRoles).toBe(false);
        expect(rules.includes('roles-rearranged') && sameRoles).toBe(false);
        const kept = current.nodes.filter((node) =>
          layout.nodes.some(({ key }) => key === node.key),
        );
        const expected =
          Math.min(each.shards, each.places.length) *
          Math.min(1 + each.replicas, each.places[0]?.length ?? 0);
        expect(rules.includes('nodes-moved') || kept.length === expected).toBe(true);
        for (const node of kept) {
          const now = layout.nodes.find(({ key }) => key === node.key);
          expect(now).toMatchObject({ shard: node.shard, host: node.host, port: node.port });
        }
      }),
      { numRuns: 100 },
    );
  }, 120_000);

  test('moves as few slots as the shares need', () => {
    fc.assert(
      fc.property(cases, (each) => {
        const current = layoutOf(each);
        const planned = plan(each);
        fc.pre(planned.ok);
        const from = ownersOf(Object.fromEntries(current.shards.map((s) => [s.id, s.slots])));
        const to = ownersOf(Object.fromEntries(planned.layout.shards.map((s) => [s.id, s.slots])));
        const weights = Object.fromEntries(planned.layout.shards.map(({ id }) => [id, 1]));
        const moved = from.filter((owner, slot) => owner !== to[slot]).length;
        expect(moved).toBe(fewestSlotsMoved(weights, countByOwner(from)));
      }),
      { numRuns: 20 },
    );
  }, 120_000);

  test('changes nothing when it has the size already', () => {
    fc.assert(
      fc.property(cases, (each) => {
        const planned = plan(each);
        fc.pre(planned.ok);
        const again = plan(each, planned.layout);
        expect(again.ok && again.layout).toBe(planned.layout);
      }),
      { numRuns: 30 },
    );
  }, 120_000);

  test('gives the same answer to the same question, whatever the order of the hosts', () => {
    fc.assert(
      fc.property(cases, (each) => {
        const question = {
          spec: specOf(each),
          current: layoutOf(each),
          clusterId: 'id',
          number: 2,
        };
        const hosts = hostsOf(each);
        const planned = planLayout({ ...question, hosts });
        expect(planLayout({ ...question, hosts })).toEqual(planned);
        const turned = planLayout({ ...question, hosts: hosts.toReversed() });
        expect(turned.ok && turned.layout).toEqual(planned.ok && planned.layout);
      }),
      { numRuns: 20 },
    );
  }, 120_000);
});
