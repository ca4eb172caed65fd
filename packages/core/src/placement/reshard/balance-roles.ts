/**
 * Preferred roles within the shards of nodes whose places are settled: masters as even over hosts
 * as can be, and for that as few shards as possible get another master.
 */
import type { Host } from '../../model/host.ts';
import type { Layout, LayoutNode } from '../../model/layout.ts';
import { CheapestFlow } from '../cheapest-flow.ts';
import { maxMastersPerDomain } from '../domains.ts';
import { withMasters, zonesLimitingMasters } from '../preferred-masters.ts';

/**
 * The layout as it is when no choice of masters keeps the majority. Only nodes on hosts in `usable`
 * become masters; those that are masters elsewhere may stay.
 */
export function balanceRoles(
  layout: Layout,
  { hosts, usable }: { readonly hosts: readonly Host[]; readonly usable: ReadonlySet<string> },
): Layout {
  const masters = chooseMasters(layout, { hosts, usable });
  if (masters === undefined) return layout;
  return withMasters(layout, masters);
}

/**
 * Source → shards → hosts → zones → target. The n-th master of a host costs 2n − 1, so that all
 * together cost the sum of squares, which is least when they are as even as can be; against that, a
 * shard whose master changes costs next to nothing.
 */
function chooseMasters(
  layout: Layout,
  { hosts, usable }: { readonly hosts: readonly Host[]; readonly usable: ReadonlySet<string> },
): ReadonlySet<LayoutNode> | undefined {
  const names = [...new Set(layout.nodes.map((node) => node.host))];
  const zones = layout.allowWeakQuorum ? undefined : zonesLimitingMasters(layout, hosts);
  const zoneNames = [...new Set(zones?.values())];
  const count = layout.shards.length;
  const [source, target, firstHost] = [0, 1, 2 + count];
  const firstZone = firstHost + names.length;
  const flow = new CheapestFlow(firstZone + zoneNames.length);
  const limit = layout.allowWeakQuorum ? count : maxMastersPerDomain(count);
  const choices = layout.shards.map(({ id }, shard) => {
    flow.addArc(source, 2 + shard, { room: 1, cost: 0 });
    return layout.nodes
      .filter((node) => node.shard === id)
      .filter((node) => node.preferredRole === 'master' || usable.has(node.host))
      .map((node) => {
        const cost = node.preferredRole === 'master' ? 0 : 1;
        const to = firstHost + names.indexOf(node.host);
        return { node, arc: flow.addArc(2 + shard, to, { room: 1, cost }) };
      });
  });
  for (const [index, name] of names.entries()) {
    const zone = zoneNames.indexOf(zones?.get(name) ?? '');
    const to = zone < 0 ? target : firstZone + zone;
    for (let nth = 1; nth <= Math.min(limit, mostMasters(layout, name, names.length)); nth += 1) {
      flow.addArc(firstHost + index, to, { room: 1, cost: (2 * nth - 1) * (count + 1) });
    }
  }
  for (const index of zoneNames.keys()) {
    flow.addArc(firstZone + index, target, { room: limit, cost: 0 });
  }
  for (const _ of layout.shards) if (!flow.pushUnit(source, target)) return undefined;
  return new Set(choices.flatMap((of) => of.find(({ arc }) => flow.flowOf(arc) > 0)?.node ?? []));
}

/** No more than a host has now, or than its share and some: more would not be even. */
function mostMasters({ nodes, shards }: Layout, host: string, hostCount: number): number {
  const now = nodes.filter((node) => node.host === host && node.preferredRole === 'master').length;
  return Math.max(now, Math.ceil(shards.length / hostCount) + 2);
}
