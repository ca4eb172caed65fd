/**
 * Nodes of earlier layouts: stopped once those that replace them have all they have, and moved to
 * the trash once the cluster has forgotten them. Only what carries the cluster's marker is touched.
 */
import type { LayoutNode } from '../../model/layout.ts';
import type { NodeObservation } from '../../model/observation.ts';
import type { RemoveNodeStep } from '../../model/step.ts';
import { tryStep } from '../attempts.ts';
import { isOnline, seenNode } from '../situation.ts';
import { IDLE, mergeTurns, waiting, type Turn } from '../turn.ts';
import { isOwnedElsewhere, shallRun, type Fleet } from './fleet.ts';
import { planStop } from './stopping.ts';

export function planDepartures(fleet: Fleet): Turn {
  return mergeTurns(
    fleet.former.map((node) => {
      if (!isOnline(fleet, node.host)) return IDLE;
      const seen = seenNode(fleet, node.key);
      if (seen === undefined) return waiting(node.key, 'not reported yet by its host');
      if (!isOurs(fleet, seen) || !isReplaced(fleet, node)) return IDLE;
      return planStop(fleet, node, seen);
    }),
  );
}

/** The directories of those that are stopped, as long as another node has their data. */
export function planRemovals(fleet: Fleet): Turn {
  return mergeTurns(
    fleet.former.map((node) => {
      const seen = isOnline(fleet, node.host) ? seenNode(fleet, node.key) : undefined;
      if (seen === undefined || !isOurs(fleet, seen)) return IDLE;
      const { state } = seen.process;
      const isDown = state === 'stopped' || state === 'prepared';
      if (!isDown || !isOwnedElsewhere(fleet, node) || !isClear(fleet, node)) return IDLE;
      return remove(fleet, node);
    }),
  );
}

/** What a node of a shard that went may have had is not known: so all slots must be somebody's. */
function isClear(fleet: Fleet, node: LayoutNode): boolean {
  const { disputed, unowned } = fleet.slotMap;
  const isGone = fleet.departed.some(({ shard }) => shard.id === node.shard);
  return !isGone || disputed.length + unowned.length === 0;
}

function isOurs({ layout }: Fleet, { process }: NodeObservation): boolean {
  return process.marker?.clusterId === layout.clusterId;
}

/** Whether all nodes that the layout gives the shard run; they are in sync before anything stops. */
function isReplaced(fleet: Fleet, { shard }: LayoutNode): boolean {
  const successors = fleet.layout.nodes.filter(
    (node) => node.shard === shard && shallRun(fleet, node),
  );
  return successors.every((node) => fleet.liveByKey.has(node.key));
}

function remove(fleet: Fleet, { host, key }: LayoutNode): Turn {
  const step: RemoveNodeStep = { kind: 'removeNode', host, node: key, purge: false };
  return tryStep(fleet.attempts, step, {
    now: fleet.now,
    what: `moving the directory of ${key} to the trash`,
    subject: key,
    remedy: `Repair what the message names on ${host}, then repair again`,
  });
}
