/**
 * Whether there may be something to repair: a look that is cheap enough for each second, also with
 * a thousand nodes. It may be wrong on the side of yes; what is to be done is planning's to say.
 */
import { effectiveRoles, type Layout, type LayoutNode, type Observation } from '@redrover/core';

export interface RepairSigns {
  readonly layout: Layout;
  /** Nodes of earlier layouts. */
  readonly former: readonly LayoutNode[];
  readonly observation: Observation;
}

export function maySignalRepair({ layout, former, observation }: RepairSigns): boolean {
  const roles = effectiveRoles(layout);
  const isOff = (node: LayoutNode): boolean => {
    // Of a host that is silent nothing can be repaired; its return is a change.
    if (observation.hosts[node.host]?.status !== 'online') return false;
    const { process, redis } = observation.nodes[node.key] ?? {};
    const role = roles.get(node.key);
    if (process === undefined) return false;
    if (role === 'stopped') return process.state !== 'stopped' && process.state !== 'absent';
    return process.state !== 'running' || redis === undefined || redis.role !== role;
  };
  return (
    layout.nodes.some(isOff) ||
    hasLeftovers(layout, former, observation) ||
    hasStrangers(layout, observation)
  );
}

/** Directories of earlier layouts. */
function hasLeftovers(
  { clusterId }: Layout,
  former: readonly LayoutNode[],
  { nodes }: Observation,
): boolean {
  return former.some(({ key }) => {
    const process = nodes[key]?.process;
    return process?.marker?.clusterId === clusterId && process.state !== 'absent';
  });
}

/** Views that differ, or that know more or fewer nodes than there are. */
function hasStrangers({ nodes: wanted, drainedHosts }: Layout, { nodes }: Observation): boolean {
  const drained = new Set(drainedHosts);
  const views = new Map<string, number>();
  for (const { key, host } of wanted) {
    const view = nodes[key]?.redis?.view;
    if (view !== undefined && !drained.has(host)) views.set(view.hash, view.nodes.length);
  }
  return views.size > 1 || [...views.values()].some((count) => count !== wanted.length);
}
