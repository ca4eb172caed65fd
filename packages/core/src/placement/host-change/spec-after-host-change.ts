/**
 * The spec that a host change leaves behind: where it names hosts or nodes, it must name those of
 * the new layout, or the next plan would find the cluster elsewhere than where the spec wants it.
 */
import type { HostChange } from '../../model/host-change.ts';
import type { Layout } from '../../model/layout.ts';
import type { ClusterSpec, PinnedNode } from '../../model/spec.ts';

export function specAfterHostChange(
  spec: ClusterSpec,
  change: HostChange,
  layouts: { readonly before: Layout; readonly after: Layout },
): ClusterSpec {
  if (change.kind !== 'replace' && change.kind !== 'drainMove') return spec;
  const hosts =
    change.kind === 'replace'
      ? replaceName(spec.placement.hosts, change.host, change.with)
      : spec.placement.hosts;
  return {
    ...spec,
    placement: { ...spec.placement, hosts },
    nodes: spec.nodes.map((pin) => movePin(pin, layouts)),
  };
}

/** An empty list stays so: it means all hosts. */
function replaceName(names: readonly string[], from: string, to: string): string[] {
  return [...new Set(names.map((name) => (name === from ? to : name)))];
}

/** Nodes keep their position in a layout, wherever they are put. */
export function movePin(
  pin: PinnedNode,
  { before, after }: { readonly before: Layout; readonly after: Layout },
): PinnedNode {
  const index = before.nodes.findIndex((node) => node.host === pin.host && node.port === pin.port);
  const node = after.nodes[index];
  if (node === undefined) return pin;
  const role = pin.role === undefined ? undefined : node.preferredRole;
  return { ...pin, host: node.host, port: node.port, role };
}
