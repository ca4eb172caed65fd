/** Nodes on drained hosts: stopped once they are copies, and kept where they are. */
import { isOnline, seenNode } from '../situation.ts';
import { IDLE, mergeTurns, waiting, type Turn } from '../turn.ts';
import type { Fleet } from './fleet.ts';
import { planStop } from './stopping.ts';

export function planDrains(fleet: Fleet): Turn {
  const drained = fleet.layout.nodes.filter(({ key }) => fleet.roles.get(key) === 'stopped');
  return mergeTurns(
    drained.map((node) => {
      // What runs on a host that is away is stopped when it is back and this is planned again.
      if (!isOnline(fleet, node.host)) return IDLE;
      const seen = seenNode(fleet, node.key);
      if (seen === undefined) return waiting(node.key, 'not reported yet by its host');
      const { marker } = seen.process;
      if (marker !== undefined && marker.clusterId !== fleet.layout.clusterId) return IDLE;
      return planStop(fleet, node, seen);
    }),
  );
}
