/**
 * Preferred roles within the shards of nodes whose places are settled: as few shards as possible
 * get another master, so that no host and no zone holds more masters than the majority can spare.
 */
import type { Host } from '../../model/host.ts';
import type { Layout, LayoutNode } from '../../model/layout.ts';
import { CheapestFlow } from '../cheapest-flow.ts';
import { maxMastersPerDomain } from '../domains.ts';
import { withMasters, zonesLimitingMasters } from '../preferred-masters.ts';

/** Undefined when no choice of masters leaves every host and zone below its limit. */
export function rearrangeRoles(layout: Layout, hosts: readonly Host[]): Layout | undefined {
  const masters = chooseMasters(layout, zonesLimitingMasters(layout, hosts));
  if (masters === undefined) return undefined;
  return withMasters(layout, masters);
}

/** Source → shards → hosts → zones → target; a shard costs 1 unless its master stays. */
function chooseMasters(
  layout: Layout,
  zones: ReadonlyMap<string, string> | undefined,
): ReadonlySet<LayoutNode> | undefined {
  const hostNames = [...new Set(layout.nodes.map((node) => node.host))];
  const zoneNames = [...new Set(zones?.values())];
  const [source, target, firstHost] = [0, 1, 2 + layout.shards.length];
  const firstZone = firstHost + hostNames.length;
  const flow = new CheapestFlow(firstZone + zoneNames.length);
  const limit = maxMastersPerDomain(layout.shards.length);
  const choices = layout.shards.map(({ id }, shard) => {
    flow.addArc(source, 2 + shard, { room: 1, cost: 0 });
    return layout.nodes
      .filter((node) => node.shard === id)
      .map((node) => {
        const cost = node.preferredRole === 'master' ? 0 : 1;
        const to = firstHost + hostNames.indexOf(node.host);
        return { node, arc: flow.addArc(2 + shard, to, { room: 1, cost }) };
      });
  });
  for (const [index, name] of hostNames.entries()) {
    const zone = zoneNames.indexOf(zones?.get(name) ?? '');
    const to = zone < 0 ? target : firstZone + zone;
    flow.addArc(firstHost + index, to, { room: limit, cost: 0 });
  }
  for (const index of zoneNames.keys()) {
    flow.addArc(firstZone + index, target, { room: limit, cost: 0 });
  }
  for (const _ of layout.shards) if (!flow.pushUnit(source, target)) return undefined;
  return new Set(choices.flatMap((of) => of.find(({ arc }) => flow.flowOf(arc) > 0)?.node ?? []));
}
