/**
 * Which nodes could be moved so that there is a layout: one, or two of them. Each way is tried by
 * placing them anew, so the likeliest come first and only some are looked at.
 */
import type { LayoutNode } from '../../model/layout.ts';
import type { Kept, ScaleRequest } from './scale-request.ts';

export interface Freed {
  readonly kept: Kept;
  readonly freed: readonly LayoutNode[];
}

const MAX_SINGLE = 60;
const MAX_PAIRS = 120;

/**
 * Replicas before masters, as these need a handoff first; nodes of hosts with many before those of
 * hosts with few.
 */
export function freeNodes({ spec, current, hosts }: ScaleRequest, kept: Kept): Freed[] {
  const online = new Set(hosts.filter(({ status }) => status === 'online').map(({ name }) => name));
  const drained = new Set(current.drainedHosts);
  // A host is not emptied by leaving it out of a list.
  const allowed = spec.placement.hosts.length === 0 ? online : new Set(spec.placement.hosts);
  const countOn = (host: string) => kept.nodes.filter((node) => node.host === host).length;
  const movable = kept.nodes
    .filter(({ host }) => online.has(host) && allowed.has(host) && !drained.has(host))
    .sort(
      (a, b) =>
        Number(a.preferredRole === 'master') - Number(b.preferredRole === 'master') ||
        countOn(b.host) - countOn(a.host),
    );
  const free = (freed: readonly LayoutNode[]) => {
    const nodes = kept.nodes.filter((node) => !freed.includes(node));
    return { kept: { ...kept, nodes }, freed };
  };
  const pairs = movable.flatMap((node, index) =>
    movable.slice(index + 1, index + 1 + MAX_PAIRS).map((other) => [node, other]),
  );
  return [
    ...movable.slice(0, MAX_SINGLE).map((node) => free([node])),
    ...pairs.slice(0, MAX_PAIRS).map(free),
  ];
}
