/**
 * Whether there may be something to repair: a look that is cheap enough for each second, also with
 * a thousand nodes. It may be wrong on the side of yes; what is to be done is planning's to say.
 */
import {
  effectiveRoles,
  sameSlots,
  type Layout,
  type LayoutNode,
  type Observation,
} from '@redrover/core';

export interface RepairSigns {
  readonly layout: Layout;
  /** Nodes of earlier layouts. */
  readonly former: readonly LayoutNode[];
  readonly observation: Observation;
}

export function mayNeedRepair({ layout, former, observation }: RepairSigns): boolean {
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
    hasStrangers(layout, observation) ||
    hasMisplacedSlots(layout, observation)
  );
}

/** Directories of earlier layouts. */
function hasLeftovers(
  { clusterId }: Layout,
  former: readonly LayoutNode[],
  { hosts, nodes }: Observation,
): boolean {
  return former.some(({ host, key }) => {
    const process = nodes[key]?.process;
    if (hosts[host]?.status !== 'online' || process?.state === 'absent') return false;
    return process?.marker?.clusterId === clusterId;
  });
}

/** Views that differ, or that know more or fewer nodes than there are. */
function hasStrangers({ nodes: wanted }: Layout, { hosts, nodes }: Observation): boolean {
  const views = new Map<string, number>();
  for (const { key, host } of wanted) {
    const { process, redis } = nodes[key] ?? {};
    // What a node said last before it fell silent is of the past.
    if (hosts[host]?.status !== 'online' || process?.state !== 'running') continue;
    if (redis !== undefined) views.set(redis.view.hash, redis.view.nodes.length);
  }
  return views.size > 1 || [...views.values()].some((count) => count !== wanted.length);
}

/** Slots that are elsewhere than they shall be, or half way. */
function hasMisplacedSlots(
  { nodes: wanted, shards }: Layout,
  { hosts, nodes }: Observation,
): boolean {
  const laidOut = new Map(shards.map(({ id, slots }) => [id, slots]));
  return wanted.some(({ key, host, shard }) => {
    const { process, redis } = nodes[key] ?? {};
    if (hosts[host]?.status !== 'online' || process?.state !== 'running') return false;
    const self = redis?.view.nodes.find(({ nodeId }) => nodeId === redis.nodeId);
    if (self === undefined) return false;
    if (self.migrating.length + self.importing.length > 0) return true;
    return redis?.role === 'master' && !sameSlots(self.slots, laidOut.get(shard) ?? []);
  });
}
