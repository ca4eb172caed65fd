/** What choices of masters share: a layout with other masters, and the zones that limit how many one may hold. */
import type { Host } from '../model/host.ts';
import type { Layout, LayoutNode } from '../model/layout.ts';
import { zonesKeepQuorum, zonesOfHosts } from './failure-zones.ts';

/** The same layout with these nodes as preferred masters, one of each shard. */
export function withMasters(layout: Layout, masters: ReadonlySet<LayoutNode>): Layout {
  const epochs = new Map(
    layout.nodes
      .filter((node) => node.preferredRole === 'master')
      .map((node) => [node.shard, node.configEpoch]),
  );
  return {
    ...layout,
    nodes: layout.nodes.map((node) => {
      const preferredRole = masters.has(node) ? ('master' as const) : ('replica' as const);
      if (preferredRole === node.preferredRole) return node;
      // The shard's epoch goes with the role, so that the masters' stay distinct.
      const configEpoch = preferredRole === 'master' ? (epochs.get(node.shard) ?? 0) : 0;
      return { ...node, preferredRole, configEpoch };
    }),
  };
}

/** By host. Undefined where zones do not limit masters. */
export function zonesLimitingMasters(
  layout: Layout,
  hosts: readonly Host[],
): ReadonlyMap<string, string> | undefined {
  const used = new Set(layout.nodes.map((node) => node.host));
  const known = hosts.filter((host) => used.has(host.name));
  const zones = zonesOfHosts(known, layout.zoneLabel);
  if (zones === undefined || known.length < used.size) return undefined;
  return zonesKeepQuorum(new Set(zones.values()).size) ? zones : undefined;
}
