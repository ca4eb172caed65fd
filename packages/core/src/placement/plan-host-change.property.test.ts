import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Host } from '../model/host.ts';
import type { HostChange } from '../model/host-change.ts';
import type { Layout, LayoutNode, NodeKey } from '../model/layout.ts';
import { splitSlotsEvenly } from '../model/slots.ts';
import type { ClusterSpec } from '../model/spec.ts';
import { effectiveRoles, type EffectiveRole } from './effective-roles.ts';
import type { HostChangeRequest } from './host-change/host-change-request.ts';
import { isAcceptable, lintLayout } from './lint-layout.ts';
import type { LayoutPlan } from './layout-plan.ts';
import { planHostChange } from './plan-host-change.ts';
import { exampleHost, exampleSpec } from './testing/examples.ts';
import { settledCluster } from './testing/settled-cluster.ts';

const KINDS = ['drain', 'drainMove', 'replace', 'undrain', 'readdress'] as const;

interface Case {
  readonly spec: ClusterSpec;
  /** All online, with addresses as in the layout. */
  readonly hosts: readonly Host[];
  readonly layout: Layout;
  readonly change: HostChange;
}

interface Fields {
  readonly zones: readonly (string | undefined)[];
  /** Hosts of each shard's members by index, the master's first. */
  readonly places: readonly (readonly number[])[];
  readonly allowWeakQuorum: boolean;
  readonly kind: (typeof KINDS)[number];
  readonly host: number;
  readonly other: number;
  readonly drained: number | undefined;
}

/**
 * Clusters of any layout that keeps the rules, one host perhaps drained; something is asked of a
 * host.
 */
function casesOf(most: { readonly shards: number }): fc.Arbitrary<Case> {
  const zone = fc.constantFrom('a', 'b', 'c', 'd', undefined);
  const zones = fc.oneof(
    fc.array(fc.constant(undefined), { minLength: 3, maxLength: 7 }),
    fc.array(zone, { minLength: 3, maxLength: 7 }),
  );
  return fc
    .tuple(zones, fc.integer({ min: 1, max: 3 }))
    .chain(([of, members]) => {
      const hosts = [...of.keys()];
      const place = fc.shuffledSubarray(hosts, { minLength: members, maxLength: members });
      return fc.record({
        zones: fc.constant(of),
        places: fc.array(place, { minLength: 3, maxLength: most.shards }),
        allowWeakQuorum: fc.boolean(),
        kind: fc.constantFrom(...KINDS),
        host: fc.nat({ max: of.length - 1 }),
        other: fc.nat({ max: of.length - 1 }),
        drained: fc.option(fc.nat({ max: of.length - 1 }), { nil: undefined }),
      });
    })
    .map((fields) => toCase(fields))
    .filter(({ layout, hosts }) => isAcceptable(lintLayout(layout, hosts)));
}

const cases = casesOf({ shards: 6 });

function toCase(fields: Fields): Case {
  const { zones, places, allowWeakQuorum, kind } = fields;
  const hosts = zones.map((zone, index) =>
    exampleHost(`h${index}`, {
      address: `10.0.0.${index}`,
      labels: zone === undefined ? {} : { zone },
    }),
  );
  const replicas = (places[0]?.length ?? 1) - 1;
  const spec = exampleSpec({ shards: places.length, replicas }, { allowWeakQuorum });
  const plain = layoutOf(spec, places);
  const drained = `h${fields.drained}`;
  const drainedHosts = isDrainable(plain, drained, hosts) ? [drained] : [];
  const [host, other] = [`h${fields.host}`, `h${fields.other}`];
  const change: HostChange = kind === 'replace' ? { kind, host, with: other } : { kind, host };
  return { spec, hosts, layout: { ...plain, drainedHosts }, change };
}

function layoutOf(spec: ClusterSpec, places: readonly (readonly number[])[]): Layout {
  const nodes = places.flatMap((members, shard) =>
    members.map((host, member): LayoutNode => {
      const port = 6379 + shard;
      return {
        key: `h${host}:${port}`,
        host: `h${host}`,
        address: `10.0.0.${host}`,
        port,
        busPort: port + 10_000,
        shard: `s${shard + 1}`,
        preferredRole: member === 0 ? 'master' : 'replica',
        configEpoch: member === 0 ? shard + 1 : 0,
      };
    }),
  );
  return {
    cluster: spec.name,
    clusterId: 'id',
    number: 7,
    release: spec.release,
    shards: splitSlotsEvenly(places.length).map((range, index) => ({
      id: `s${index + 1}`,
      slots: [range],
    })),
    nodes,
    maxmemoryBytes: undefined,
    nodeTimeoutMs: 5000,
    config: {},
    zoneLabel: 'zone',
    allowSameHost: false,
    allowWeakQuorum: spec.placement.allowWeakQuorum,
    drainedHosts: [],
  };
}

function isDrainable(layout: Layout, host: string, hosts: readonly Host[]): boolean {
  return (
    layout.nodes.some((node) => node.host === host) &&
    isAcceptable(lintLayout({ ...layout, drainedHosts: [host] }, hosts))
  );
}

/** For `replace` the host is lost and failed over, for `readdress` it has moved. */
function requestOf({ spec, hosts, layout, change }: Case): HostChangeRequest {
  const isAway = change.kind === 'replace';
  const seen = isAway ? { ...layout, drainedHosts: [...layout.drainedHosts, change.host] } : layout;
  const observation = settledCluster(layout, effectiveRoles(seen));
  const away = observation.hosts[change.host];
  const changed = hosts.map((host): Host => {
    if (host.name !== change.host) return host;
    if (change.kind === 'readdress') return { ...host, address: '10.0.1.1' };
    return isAway ? { ...host, status: 'lost' } : host;
  });
  return {
    change,
    spec,
    layout,
    hosts: changed,
    number: layout.number + 1,
    observation:
      isAway && away !== undefined
        ? {
            ...observation,
            hosts: { ...observation.hosts, [change.host]: { ...away, status: 'lost' } },
          }
        : observation,
  };
}

/** Whatever was asked. */
function faultsOf(plan: LayoutPlan, { layout, hosts, change }: HostChangeRequest): string[] {
  if (!plan.ok) {
    const { refusals } = plan;
    if (refusals.length === 0) return ['refused without a reason'];
    return refusals.filter(({ message }) => message === '').map(({ rule }) => rule);
  }
  const faults = [...plan.findings, ...lintLayout(plan.layout, hosts)]
    .filter(({ severity }) => severity === 'critical')
    .map(({ message }) => message);
  const untouched = (node: LayoutNode) => node.host !== change.host;
  for (const [index, node] of layout.nodes.entries()) {
    const after = plan.layout.nodes[index];
    if (untouched(node) && after?.key !== node.key) faults.push(`${node.key} was moved`);
    if (after?.shard !== node.shard) faults.push(`${node.key} changed its shard`);
  }
  return faults;
}

describe('planHostChange', () => {
  test('keeps all rules, leaves all else alone, and says why where it refuses', () => {
    fc.assert(
      fc.property(cases, (example) => {
        const request = requestOf(example);
        const plan = planHostChange(request);
        expect(faultsOf(plan, request)).toEqual([]);
        expect(planHostChange(request)).toEqual(plan);
        const turned = planHostChange({ ...request, hosts: request.hosts.toReversed() });
        expect(turned.ok && turned.layout).toEqual(plan.ok && plan.layout);
      }),
      { numRuns: 200 },
    );
  }, 60_000);

  test('drains and undrains to where it began', () => {
    fc.assert(
      fc.property(cases, (example) => {
        const { host } = example.change;
        const request = requestOf({ ...example, change: { kind: 'drain', host } });
        const drained = planHostChange(request);
        if (!drained.ok) return;
        const back = planHostChange({
          ...request,
          change: { kind: 'undrain', host },
          layout: drained.layout,
          observation: settledCluster(drained.layout),
          number: example.layout.number,
        });
        expect(back.ok && back.layout).toEqual(example.layout);
      }),
      { numRuns: 200 },
    );
  }, 60_000);

  test('never drains a shard of its last member, nor without a replica in sync', () => {
    fc.assert(
      fc.property(cases, fc.nat(), (example, broken) => {
        const { host } = example.change;
        const request = requestOf({ ...example, change: { kind: 'drain', host } });
        const key = Object.keys(request.observation.nodes)[broken % example.layout.nodes.length];
        const observation = withoutLink(request.observation, key ?? '');
        const plan = planHostChange({ ...request, observation });
        if (!plan.ok) return;
        const roles = effectiveRoles(example.layout);
        for (const { id } of example.layout.shards) {
          const staying = plan.layout.nodes.filter(
            (node) => node.shard === id && !plan.layout.drainedHosts.includes(node.host),
          );
          expect(staying.some((node) => isFit(node, { roles, key: key ?? '' }))).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  }, 60_000);

  test('replaces whenever some choice of masters keeps the rules, and changes the fewest', () => {
    fc.assert(
      fc.property(casesOf({ shards: 4 }), fc.nat(), (example, pick) => {
        const { hosts, layout } = example;
        const { host } = layout.nodes[pick % layout.nodes.length] ?? { host: '' };
        const target = hosts[pick % hosts.length]?.name ?? '';
        fc.pre(host !== target && layout.drainedHosts.length === 0);
        fc.pre(example.spec.replicas > 0);
        const request = requestOf({ ...example, change: { kind: 'replace', host, with: target } });
        const plan = planHostChange(request);
        const fewest = fewestChanges(request, target);
        expect(plan.ok).toBe(fewest !== undefined);
        if (!plan.ok) return;
        expect(countChanged(layout, plan.layout)).toBe(fewest);
      }),
      { numRuns: 200 },
    );
  }, 60_000);
});

function withoutLink(observation: HostChangeRequest['observation'], key: NodeKey) {
  const node = observation.nodes[key];
  if (node?.redis?.role !== 'replica') return observation;
  const redis = { ...node.redis, masterLinkUp: false };
  return { ...observation, nodes: { ...observation.nodes, [key]: { ...node, redis } } };
}

function isFit(
  node: LayoutNode,
  { roles, key }: { readonly roles: ReadonlyMap<NodeKey, EffectiveRole>; readonly key: NodeKey },
): boolean {
  return roles.get(node.key) === 'master' || node.key !== key;
}

function countChanged(before: Layout, after: Layout): number {
  const roles = before.nodes.map((node) => node.preferredRole);
  return after.nodes.filter(
    (node, index) => node.preferredRole === 'master' && roles[index] !== 'master',
  ).length;
}

/** By trying every choice of masters; undefined when none keeps the rules. */
function fewestChanges(request: HostChangeRequest, target: string): number | undefined {
  const { layout, hosts, change } = request;
  const places = layout.nodes.map((node) => (node.host === change.host ? target : node.host));
  let fewest: number | undefined;
  const visit = (shard: number, masters: readonly number[]): void => {
    const id = layout.shards[shard]?.id;
    if (id === undefined) {
      const tried = arranged(layout, places, masters);
      if (!isAcceptable(lintLayout(tried, hosts))) return;
      fewest = Math.min(fewest ?? Number.POSITIVE_INFINITY, countChanged(layout, tried));
      return;
    }
    for (const [index, node] of layout.nodes.entries()) {
      if (node.shard === id) visit(shard + 1, [...masters, index]);
    }
  };
  visit(0, []);
  return fewest;
}

/** Ports and epochs are made up, so that they are distinct. */
function arranged(layout: Layout, places: readonly string[], masters: readonly number[]): Layout {
  const nodes = layout.nodes.map((node, index): LayoutNode => {
    const host = places[index] ?? '';
    const port = 7000 + index;
    const isMaster = masters.includes(index);
    return {
      ...node,
      key: `${host}:${port}`,
      host,
      port,
      busPort: port + 10_000,
      preferredRole: isMaster ? 'master' : 'replica',
      configEpoch: isMaster ? index + 1 : 0,
    };
  });
  return { ...layout, nodes };
}
