/** How one node's own view of its cluster differs from the one that most nodes have. */
import { clusterViewOf, formatRanges } from '@redrover/core';
import type { ClusterView, ViewNode } from '@redrover/core';

/**
 * The view with the most holders; undefined when nobody has told one. Open slots stand in their own
 * node's view alone, so that they are no matter of agreement.
 */
export function majorityView(views: readonly ClusterView[]): ClusterView | undefined {
  const told = Map.groupBy(views, ({ hash }) => hash);
  const agreed = new Map([...told].map(([hash, [view]]) => [hash, hashWithoutOpenSlots(view)]));
  const groups = [...Map.groupBy(views, ({ hash }) => agreed.get(hash)).values()];
  return groups.sort((a, b) => b.length - a.length)[0]?.[0];
}

function hashWithoutOpenSlots(view: ClusterView | undefined): string {
  const nodes = view?.nodes ?? [];
  const isOpen = nodes.some((node) => node.migrating.length + node.importing.length > 0);
  if (!isOpen) return view?.hash ?? '';
  return clusterViewOf(nodes.map((node) => ({ ...node, migrating: [], importing: [] }))).hash;
}

/** One line for each difference; none for a node that agrees. */
export function describeDisagreement(own: ClusterView, majority: ClusterView): string[] {
  if (own.hash === majority.hash) return [];
  const ownById = new Map(own.nodes.map((node) => [node.nodeId, node]));
  const knownIds = new Set(majority.nodes.map(({ nodeId }) => nodeId));
  return [
    ...majority.nodes.flatMap((node) => compareNode(ownById.get(node.nodeId), node)),
    ...own.nodes
      .filter(({ nodeId }) => !knownIds.has(nodeId))
      .map((node) => `knows ${nameOf(node)}, which the others do not`),
  ];
}

function compareNode(own: ViewNode | undefined, others: ViewNode): string[] {
  const name = nameOf(others);
  if (own === undefined) return [`does not know ${name}`];
  const facts = (node: ViewNode): readonly [string, string][] => [
    ['slots', formatRanges(node.slots) || 'none'],
    ['master', node.masterId.slice(0, 8) || 'none'],
    ['flags', node.flags.join(',')],
    ['epoch', String(node.configEpoch)],
    ['address', `${node.address}:${node.port}`],
  ];
  const theirs = facts(others);
  return facts(own).flatMap(([what, value], index) => {
    const expected = theirs[index]?.[1] ?? '';
    return value === expected ? [] : [`sees ${name} with ${what} ${value}, the others ${expected}`];
  });
}

function nameOf({ address, port }: ViewNode): string {
  return `${address}:${port}`;
}
