/**
 * The layout of a cluster that keeps its size: its nodes, ports, shards and slots stay as they are,
 * only what needs no node to move is taken from the spec. Anything else is refused.
 */
import type { Finding } from '../model/finding.ts';
import type { Layout, LayoutNode } from '../model/layout.ts';
import type { ClusterSpec, PinnedNode } from '../model/spec.ts';

export type KeptLayout =
  | { readonly ok: true; readonly layout: Layout }
  | { readonly ok: false; readonly refusals: readonly Finding[] };

export function keepCurrent(spec: ClusterSpec, current: Layout, number: number): KeptLayout {
  const refusals = nodeChanges(spec, current);
  if (refusals.length > 0) return { ok: false, refusals };
  const layout: Layout = {
    ...current,
    release: spec.release,
    maxmemoryBytes: spec.maxmemoryBytes,
    nodeTimeoutMs: spec.nodeTimeoutMs,
    config: spec.config,
    zoneLabel: spec.placement.zoneLabel,
    allowSameHost: spec.placement.allowSameHost,
    allowWeakQuorum: spec.placement.allowWeakQuorum,
  };
  return { ok: true, layout: isSame(layout, current) ? current : { ...layout, number } };
}

/** What `keepCurrent` takes from a spec; the order of options says nothing. */
function isSame(a: Layout, b: Layout): boolean {
  const facts = (layout: Layout) =>
    JSON.stringify([
      layout.release,
      layout.maxmemoryBytes,
      layout.nodeTimeoutMs,
      Object.entries(layout.config).sort(([x], [y]) => (x < y ? -1 : 1)),
      layout.zoneLabel,
      layout.allowSameHost,
      layout.allowWeakQuorum,
    ]);
  return facts(a) === facts(b);
}

/** Nodes of a layout that the spec wants elsewhere, or not at all. */
export function nodeChanges(spec: ClusterSpec, current: Layout): Finding[] {
  const unlisted = current.nodes.filter(
    (node) => spec.nodes.length > 0 && !spec.nodes.some((pin) => isPinOf(pin, node, current)),
  );
  const off = nodesOffHosts(spec, current.nodes);
  const named = new Set(off.map(({ evidence }) => evidence[0]));
  return [
    ...off,
    ...unlisted.filter(({ key }) => !named.has(key)).map((node) => unwanted(spec, node)),
  ];
}

/** Those on hosts that the spec does not name: a host is not emptied by leaving it out. */
export function nodesOffHosts(spec: ClusterSpec, nodes: readonly LayoutNode[]): Finding[] {
  const allowed = new Set(spec.placement.hosts);
  return nodes
    .filter((node) => allowed.size > 0 && !allowed.has(node.host))
    .map((node) => unwanted(spec, node));
}

function describe({ key, shard, preferredRole }: LayoutNode): string {
  return `${key} (${shard} ${preferredRole})`;
}

function unwanted(spec: ClusterSpec, node: LayoutNode): Finding {
  return {
    rule: 'change-not-supported',
    severity: 'critical',
    subject: spec.name,
    message: `Node ${describe(node)} is not where the spec wants it.`,
    evidence: [node.key],
    remedy:
      'Leave the hosts and nodes of the spec as they were: nodes are not moved by leaving them ' +
      `out. To empty a host: redrover host drain ${node.host} --move.`,
  };
}

function isPinOf(pin: PinnedNode, node: LayoutNode, current: Layout): boolean {
  const shard = current.shards.findIndex((entry) => entry.id === node.shard) + 1;
  return (
    pin.host === node.host &&
    pin.port === node.port &&
    (pin.shard ?? shard) === shard &&
    (pin.role ?? node.preferredRole) === node.preferredRole
  );
}
