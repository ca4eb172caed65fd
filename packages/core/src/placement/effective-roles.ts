/**
 * What each node of a layout should be now: its preferred role, save what hosts under maintenance
 * change.
 *
 * How nodes are brought there is planning's business.
 */
import type { Layout, LayoutNode, NodeKey } from '../model/layout.ts';
import { FlowNetwork } from './flow-network.ts';

export type EffectiveRole = 'master' | 'replica' | 'stopped';

/**
 * Nodes on drained hosts are stopped. A shard whose preferred master is among them gets another
 * member as acting master; no other shard changes. A shard of which nothing is left has no master.
 *
 * Among all such choices, one with the least Σ masters² over the hosts is taken: then the greatest
 * number of masters on one host is the least, too, and the next greatest as well.
 */
export function effectiveRoles(layout: Layout): ReadonlyMap<NodeKey, EffectiveRole> {
  const drained = new Set(layout.drainedHosts);
  const running = layout.nodes.filter((node) => !drained.has(node.host));
  const masters = new Set<NodeKey>();
  for (const node of running) if (node.preferredRole === 'master') masters.add(node.key);
  const bereft = layout.shards
    .map(({ id }) => running.filter((node) => node.shard === id))
    .filter((left) => left.length > 0 && !left.some((node) => masters.has(node.key)));
  const taken = running.filter((node) => masters.has(node.key));
  for (const node of chooseActing(bereft, taken)) masters.add(node.key);
  return new Map(
    layout.nodes.map(({ key, host }) => {
      if (drained.has(host)) return [key, 'stopped'];
      return [key, masters.has(key) ? 'master' : 'replica'];
    }),
  );
}

/**
 * One member of each shard. The hosts' limit is raised one by one, and each time as many shards as
 * find room are seated, earlier ones moving where that helps. Seats of bipartite matchings form a
 * matroid, so taking the cheapest seats first is optimal.
 */
function chooseActing(
  shards: readonly (readonly LayoutNode[])[],
  masters: readonly LayoutNode[],
): LayoutNode[] {
  if (shards.length === 0) return [];
  const hosts = [...new Set(shards.flat().map((node) => node.host))];
  const [source, target, firstHost] = [0, 1, 2 + shards.length];
  const network = new FlowNetwork(firstHost + hosts.length);
  const choices = shards.map((members, shard) => {
    network.addArc(source, 2 + shard, 1);
    return firstPerHost(members).map((node) => ({
      node,
      arc: network.addArc(2 + shard, firstHost + hosts.indexOf(node.host), 1),
    }));
  });
  const held = hosts.map((host) => masters.filter((node) => node.host === host).length);
  // At that level every host could take every shard, so the loop ends with all of them seated.
  const highest = Math.max(...held) + shards.length;
  for (let level = 1, seated = 0; level <= highest && seated < shards.length; level += 1) {
    for (const [host, count] of held.entries()) {
      if (count < level) network.addArc(firstHost + host, target, 1);
    }
    while (network.pushUnit(source, target)) seated += 1;
  }
  return choices.flatMap((of) => of.find(({ arc }) => network.flowOf(arc) > 0)?.node ?? []);
}

/** Members that share a host are alike here: the first one stands for them. */
function firstPerHost(members: readonly LayoutNode[]): LayoutNode[] {
  return members.filter(
    (node, index) => members.findIndex(({ host }) => host === node.host) === index,
  );
}
