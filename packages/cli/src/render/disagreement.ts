/** How one node's own view of its cluster differs from the one that most nodes have. */
import { formatRanges } from '@redrover/core';
import type { ClusterView, ViewNode } from '@redrover/core';

/** The view with the most holders; undefined when nobody has told one. */
export function majorityView(views: readonly ClusterView[]): ClusterView | undefined {
  const byHash = [...Map.groupBy(views, ({ hash }) => hash).values()];
  return byHash.sort((a, b) => b.length - a.length)[0]?.[0];
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
    ['open slots', String(node.migrating.length + node.importing.length)],
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
