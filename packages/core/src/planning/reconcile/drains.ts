/** Nodes on drained hosts: stopped once they are copies, and kept where they are. */
import type { LayoutNode } from '../../model/layout.ts';
import { isOnline, seenNode } from '../situation.ts';
import { IDLE, mergeTurns, waiting, type Turn } from '../turn.ts';
import { shallRun, type Fleet } from './fleet.ts';
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
      return findMissingCopies(fleet, node).length > 0 ? IDLE : planStop(fleet, node, seen);
    }),
  );
}

/**
 * The nodes whose place a drained one keeps: those that the layout wants to run beside the shard's
 * master, if none of them does. Without the drained one nothing would be left when that master fails.
 */
export function findMissingCopies(fleet: Fleet, { shard, key }: LayoutNode): LayoutNode[] {
  const members = fleet.layout.nodes.filter((node) => node.shard === shard && node.key !== key);
  const wanted = members.filter((node) => shallRun(fleet, node));
  const missing = wanted.filter((node) => !fleet.liveByKey.has(node.key));
  return wanted.length > 1 && wanted.length - missing.length < 2 ? missing : [];
}
