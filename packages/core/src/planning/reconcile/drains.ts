/** Nodes on drained hosts: stopped once they are copies, and kept where they are. */
import type { LayoutNode } from '../../model/layout.ts';
import { planHosts } from '../hosts.ts';
import { isOnline, seenNode } from '../situation.ts';
import { IDLE, mergeTurns, waiting, type Turn } from '../turn.ts';
import { shallRun, type Fleet } from './fleet.ts';
import { isFailedByAll } from './hung.ts';
import { planStop } from './stopping.ts';

export function planDrains(fleet: Fleet): Turn {
  const drained = fleet.layout.nodes.filter(({ key }) => fleet.roles.get(key) === 'stopped');
  const away = drained.filter(({ host }) => !isOnline(fleet, host));
  const present = drained.filter(({ host }) => isOnline(fleet, host));
  return mergeTurns([awaitHosts(fleet, away), ...present.map((node) => planDrain(fleet, node))]);
}

function planDrain(fleet: Fleet, node: LayoutNode): Turn {
  const seen = seenNode(fleet, node.key);
  if (seen === undefined) return waiting(node.key, 'not reported yet by its host');
  const { marker } = seen.process;
  if (marker !== undefined && marker.clusterId !== fleet.layout.clusterId) return IDLE;
  return findMissingCopies(fleet, node).length > 0 ? IDLE : planStop(fleet, node, seen);
}

/**
 * Nobody may be told that a host can be worked on while its nodes serve: they are down by the last
 * word of its agent, or the whole cluster calls them failed and does without them. What runs on
 * after that is stopped when its host is back and this is planned again.
 */
function awaitHosts(fleet: Fleet, away: readonly LayoutNode[]): Turn {
  if (fleet.kind !== 'change') return IDLE;
  const nodes = away.filter((node) => {
    const state = seenNode(fleet, node.key)?.process.state;
    const isDown = state === 'stopped' || state === 'prepared' || state === 'absent';
    return !isDown && !isFailedByAll(fleet, node);
  });
  return planHosts({ ...fleet, layout: { ...fleet.layout, nodes } });
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
