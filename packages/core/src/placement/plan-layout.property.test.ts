import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Host } from '../model/host.ts';
import type { Layout } from '../model/layout.ts';
import type { ClusterSpec, PinnedNode } from '../model/spec.ts';
import { hostBudgetBytes, nodeMemoryBytes } from './host-capacity.ts';
import { isAcceptable, lintLayout } from './lint-layout.ts';
import type { LayoutPlan } from './layout-plan.ts';
import { planLayout } from './plan-layout.ts';
import type { SmallCase } from './testing/brute-force.ts';
import { bruteForce, measure } from './testing/brute-force.ts';
import { exampleHost, exampleSpec, hostFacts, planNew } from './testing/examples.ts';

const MEBIBYTE = 1024 ** 2;
const MAXMEMORY_BYTES = 256 * MEBIBYTE;

const flags = {
  allowSameHost: fc.boolean(),
  allowWeakQuorum: fc.boolean(),
};

const smallCase: fc.Arbitrary<SmallCase> = fc
  .record({
    hosts: fc.array(
      fc.record({
        zone: fc.constantFrom('a', 'b', 'c', 'd'),
        room: fc.oneof({ weight: 3, arbitrary: fc.constant(99) }, fc.integer({ min: 1, max: 4 })),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    zoned: fc.boolean(),
    shards: fc.integer({ min: 1, max: 4 }),
    replicas: fc.integer({ min: 0, max: 2 }),
    ...flags,
  })
  .map(({ hosts, zoned, ...fields }) => ({
    ...fields,
    zones: hosts.map((host) => (zoned ? host.zone : undefined)),
    rooms: hosts.map((host) => host.room),
  }));

/** Memory for exactly `room` nodes. */
function hostsOf({ zones, rooms }: SmallCase): Host[] {
  return zones.map((zone, index) => {
    const room = rooms[index] ?? 0;
    const memoryBytes = 8192 * MEBIBYTE;
    const host = exampleHost(`h${index}`, {
      labels: zone === undefined ? {} : { zone },
      facts: hostFacts(memoryBytes),
    });
    if (room === 99) return { ...host, facts: hostFacts(memoryBytes * 16) };
    const wanted = room * nodeMemoryBytes(MAXMEMORY_BYTES);
    return { ...host, reservedBytes: (hostBudgetBytes(host) ?? 0) - wanted };
  });
}

function specOf(small: SmallCase): ClusterSpec {
  const { shards, replicas, allowSameHost, allowWeakQuorum } = small;
  return exampleSpec(
    { shards, replicas, maxmemoryBytes: MAXMEMORY_BYTES },
    { allowSameHost, allowWeakQuorum },
  );
}

function measureLayout(small: SmallCase, layout: Layout): number[] | undefined {
  const shards = layout.shards.map((shard) => {
    const nodes = layout.nodes.filter((node) => node.shard === shard.id);
    const roles = ['master', 'replica'] as const;
    return roles.flatMap((role) =>
      nodes.filter((node) => node.preferredRole === role).map((node) => Number(node.host.slice(1))),
    );
  });
  return measure(small, shards);
}

/** What is wrong with an answer, whatever the question was. */
function faultsOf(plan: LayoutPlan, hosts: readonly Host[]): string[] {
  if (plan.ok) {
    const findings = [...plan.findings, ...lintLayout(plan.layout, hosts)];
    return isAcceptable(findings) ? [] : findings.map((finding) => finding.message);
  }
  if (plan.refusals.length === 0) return ['refused without a reason'];
  const isAdvised = plan.alternatives.length > 0;
  return plan.refusals
    .filter(({ message, remedy }) => message === '' || (remedy === '' && !isAdvised))
    .map((refusal) => `refused without reason or remedy: ${JSON.stringify(refusal)}`);
}

describe('planLayout, of small cases', () => {
  test('is as good as the best of all layouts, and refuses only what has none', () => {
    fc.assert(
      fc.property(smallCase, (small) => {
        const hosts = hostsOf(small);
        const plan = planNew(specOf(small), hosts);
        expect(faultsOf(plan, hosts)).toEqual([]);
        const best = bruteForce(small);
        expect(plan.ok).toBe(best !== undefined);
        if (!plan.ok) return;
        expect(measureLayout(small, plan.layout)).toEqual(best);
        expect(plan.quality?.optimal).toBe(true);
      }),
      { numRuns: 100 },
    );
  }, 60_000);

  test('keeps to pinned nodes, and completes them as well as can be', () => {
    fc.assert(
      fc.property(smallCase, fc.infiniteStream(fc.nat()), (anyCase, choices) => {
        const nodes = pinRandomly(anyCase, choices);
        const small = onlyPinned(anyCase, nodes);
        const hosts = hostsOf(small);
        const plan = planNew({ ...specOf(small), nodes }, hosts);
        expect(faultsOf(plan, hosts)).toEqual([]);
        const best = bestOfPinned(small, nodes);
        expect(plan.ok).toBe(best !== undefined);
        if (!plan.ok) return;
        expect(measureLayout(small, plan.layout)).toEqual(best);
        for (const pin of nodes) expect(keepsPin(plan.layout, pin)).toBe(true);
      }),
      { numRuns: 80 },
    );
  }, 60_000);
});

describe('planLayout, of any case', () => {
  const host = fc.record({
    zone: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
    memoryBytes: fc.integer({ min: 512, max: 65_536 }).map((size) => size * MEBIBYTE),
    usedPorts: fc.array(fc.integer({ min: 6379, max: 6385 })),
    reservedBytes: fc.integer({ min: 0, max: 1024 }).map((size) => size * MEBIBYTE),
    status: fc.constantFrom('online', 'online', 'online', 'suspect', 'lost'),
    known: fc.boolean(),
  });
  const request = fc.record({
    hosts: fc.array(host, { maxLength: 9 }),
    shards: fc.integer({ min: 1, max: 12 }),
    replicas: fc.integer({ min: 0, max: 3 }),
    maxmemoryBytes: fc.option(
      fc.integer({ min: 1, max: 4096 }).map((size) => size * MEBIBYTE),
      { nil: undefined },
    ),
    basePort: fc.constantFrom(6379, 7000, 16_379, 55_530),
    ...flags,
  });
  const inputOf = ({ hosts, basePort, allowSameHost, allowWeakQuorum, ...fields }: Request) => ({
    spec: exampleSpec(fields, { basePort, allowSameHost, allowWeakQuorum }),
    hosts: hosts.map(({ zone, memoryBytes, known, ...rest }, index) =>
      exampleHost(`h${index}`, {
        ...rest,
        labels: zone === undefined ? {} : { zone },
        facts: known ? hostFacts(memoryBytes) : undefined,
      }),
    ),
  });
  type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

  test('never breaks a rule, and gives a reason when it refuses', () => {
    fc.assert(
      fc.property(request, (fields) => {
        const { spec, hosts } = inputOf(fields);
        const plan = planNew(spec, hosts);
        expect(faultsOf(plan, hosts)).toEqual([]);
        if (!plan.ok) return;
        expect(plan.layout.nodes).toHaveLength(spec.shards * (1 + spec.replicas));
        const online = new Set(hosts.filter((h) => h.status === 'online').map((h) => h.name));
        expect(plan.layout.nodes.every((node) => online.has(node.host))).toBe(true);
      }),
      { numRuns: 100 },
    );
  }, 60_000);

  test('gives the same answer to the same question, whatever the order of the hosts', () => {
    fc.assert(
      fc.property(request, (fields) => {
        const { spec, hosts } = inputOf(fields);
        const plan = planNew(spec, hosts);
        expect(planNew(spec, hosts)).toEqual(plan);
        const turned = planNew(spec, hosts.toReversed());
        expect(turned.ok && turned.layout).toEqual(plan.ok && plan.layout);
      }),
      { numRuns: 50 },
    );
  }, 60_000);

  test('changes nothing when the result is already the current layout', () => {
    fc.assert(
      fc.property(request, fc.nat({ max: 3 }), (fields, added) => {
        const { spec, hosts } = inputOf(fields);
        const plan = planNew(spec, hosts);
        if (!plan.ok) return;
        const more = Array.from({ length: added }, (_, index) => exampleHost(`more${index}`));
        const again = planLayout({
          spec,
          hosts: [...hosts, ...more],
          current: plan.layout,
          clusterId: 'another id',
          number: 2,
        });
        expect(again.ok && again.layout).toEqual(plan.layout);
      }),
      { numRuns: 100 },
    );
  }, 60_000);
});

/** Nodes as an operator could pin them: at any hosts, shards and roles only where consistent. */
function pinRandomly(small: SmallCase, choices: Iterator<number>): PinnedNode[] {
  const draw = (count: number) => Number(choices.next().value) % count;
  const nodes: PinnedNode[] = [];
  for (let shard = 1; shard <= small.shards; shard += 1) {
    for (let member = 0; member <= small.replicas; member += 1) {
      const withShard = draw(3) === 0;
      const withRole = draw(3) === 0;
      nodes.push({
        host: `h${draw(small.zones.length)}`,
        port: 7000 + nodes.length,
        shard: withShard ? shard : undefined,
        role: withRole ? (member === 0 ? 'master' : 'replica') : undefined,
      });
    }
  }
  return nodes;
}

/** Hosts and zones without a pinned node do not count: they join the zone of one that has. */
function onlyPinned(small: SmallCase, nodes: readonly PinnedNode[]): SmallCase {
  const used = new Set(nodes.map((node) => Number(node.host.slice(1))));
  const [first = 0] = used;
  return {
    ...small,
    zones: small.zones.map((zone, host) => (used.has(host) ? zone : small.zones[first])),
    rooms: small.rooms.map(() => 99),
  };
}

function keepsPin(layout: Layout, pin: PinnedNode): boolean {
  return layout.nodes.some(
    (node) =>
      node.host === pin.host &&
      node.port === pin.port &&
      (pin.shard === undefined || node.shard === `s${pin.shard}`) &&
      (pin.role === undefined || node.preferredRole === pin.role),
  );
}

/** Tries every shard and role for every pinned node. */
function bestOfPinned(small: SmallCase, nodes: readonly PinnedNode[]): number[] | undefined {
  const hosts = nodes.map((node) => Number(node.host.slice(1)));
  const shards = Array.from({ length: small.shards }, (): number[] => []);
  let best: number[] | undefined;
  const seen = new Set<string>();
  const visit = (left: readonly number[]): void => {
    const state = JSON.stringify([shards, left.map((index) => pinKey(nodes[index]))]);
    if (seen.has(state)) return;
    seen.add(state);
    const at = shards.findIndex((shard) => shard.length <= small.replicas);
    const shard = shards[at];
    if (shard === undefined) {
      const measured = measure(small, shards);
      if (measured !== undefined && (best === undefined || compare(measured, best) < 0)) {
        best = measured;
      }
      return;
    }
    const role = shard.length === 0 ? 'master' : 'replica';
    for (const index of left) {
      const pin = nodes[index];
      if ((pin?.shard ?? at + 1) !== at + 1 || (pin?.role ?? role) !== role) continue;
      shard.push(hosts[index] ?? 0);
      visit(left.filter((other) => other !== index));
      shard.pop();
    }
  };
  visit(nodes.map((_, index) => index));
  return best;
}

function pinKey(pin: PinnedNode | undefined): string {
  return JSON.stringify([pin?.host, pin?.shard, pin?.role]);
}

function compare(a: readonly number[], b: readonly number[]): number {
  const index = a.findIndex((value, position) => value !== b[position]);
  return index < 0 ? 0 : (a[index] ?? 0) - (b[index] ?? 0);
}
