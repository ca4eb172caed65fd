/** When a node that shall not run any more may be stopped; shared by drains and departures. */
import type { LayoutNode } from '../../model/layout.ts';
import type { NodeObservation } from '../../model/observation.ts';
import type { StopNodeStep } from '../../model/step.ts';
import { tryStep } from '../attempts.ts';
import { isAttached } from '../replicas.ts';
import { viewOf, type LiveNode } from '../situation.ts';
import { IDLE, isIdle, waiting, type Turn } from '../turn.ts';
import { clearOfMoves } from './clear-of-moves.ts';
import {
  hasSlots,
  isOrphanage,
  isOwnedElsewhere,
  isReplicaByAll,
  isInSync,
  ownsByAnyView,
  shallRun,
  shardOf,
  type Fleet,
  type OwnedShard,
} from './fleet.ts';
import { explainOwner } from './shard-prospects.ts';

/** Stops a process that only holds a copy. One that is master is handed off before. */
export function planStop(fleet: Fleet, node: LayoutNode, seen: NodeObservation): Turn {
  const { state } = seen.process;
  if (state === 'absent' || state === 'prepared' || state === 'stopped') return IDLE;
  if (state === 'starting') return waiting(node.key, 'starting, to be stopped once it answers');
  const owned = shardOf(fleet, node);
  const live = fleet.liveByKey.get(node.key);
  const moving = clearOfMoves(fleet, [node]);
  if (!isIdle(moving)) return moving;
  if (owned !== undefined && fleet.departed.includes(owned)) {
    return planLastStop(fleet, owned, node, { live, isRunning: state === 'running' });
  }
  // Why it cannot be handed off has been said by handoffs.ts.
  if (live !== undefined && owned?.owner === live) return IDLE;
  if (owned?.owner === undefined || !isOwnedElsewhere(fleet, node))
    return explainOwner(fleet, node);
  const { owner } = owned;
  if (!shallRun(fleet, owner.node)) return IDLE;
  if (state === 'running') {
    if (live === undefined) return waiting(node.key, 'running, not observed yet');
    if (!ownsNothing(fleet, live)) return waiting(node.key, 'not a replica by every view yet');
  }
  const lagging = owned.members.find(
    (member) => member !== owner && shallRun(fleet, member.node) && !isInSync(member, owner),
  );
  if (lagging !== undefined) {
    // Whether it can become one is a person's to decide then, and has been said.
    if (fleet.isImpaired && !isAttached(lagging, owner)) return IDLE;
    return waiting(node.key, `stops once ${lagging.node.key} is in sync`);
  }
  return stop(fleet, node);
}

/** A node of a shard that goes: when nobody gives the shard a slot, and the node has no key. */
function planLastStop(
  fleet: Fleet,
  owned: OwnedShard,
  node: LayoutNode,
  { live, isRunning }: { readonly live: LiveNode | undefined; readonly isRunning: boolean },
): Turn {
  // Its slots go first, which moves.ts does; keys without a slot are for a person to look at.
  if (!owned.isEmpty || hasSlots(owned)) return IDLE;
  if (live === undefined && isRunning) return waiting(node.key, 'running, not observed yet');
  // Whatever else is true of them: a master's keys are never stopped and put away, nor is a copy of them.
  if (owned.members.some(({ redis }) => redis.role === 'master' && redis.keys > 0)) return IDLE;
  if (live !== undefined && isOrphanage(fleet, live)) return IDLE;
  const { disputed, unowned } = fleet.slotMap;
  const isUnclear = disputed.length + unowned.length > 0;
  if (isUnclear) return waiting(node.key, 'stops once every slot has one owner');
  if (!isOwnedElsewhere(fleet, node)) return explainOwner(fleet, node);
  return stop(fleet, node);
}

function stop(fleet: Fleet, node: LayoutNode): Turn {
  const step: StopNodeStep = { kind: 'stopNode', host: node.host, node: node.key };
  return tryStep(fleet.attempts, step, {
    now: fleet.now,
    what: `stopping ${node.key}`,
    subject: node.key,
    remedy: `Stop that process on ${node.host} by hand, then repair again`,
  });
}

/**
 * A replica by its own word and everybody's; a stranger that nobody could ask for a key; or a master
 * whose slots are all elsewhere, with their keys.
 */
function ownsNothing(fleet: Fleet, live: LiveNode): boolean {
  if (isReplicaByAll(fleet, live)) return true;
  const { redis } = live;
  const own = viewOf(fleet, live).get(redis.nodeId);
  if (own === undefined || own.slots.length + own.importing.length > 0) return false;
  if (fleet.strangers.has(live)) return true;
  return redis.role === 'master' && redis.keys === 0 && !ownsByAnyView(fleet.settledViews, live);
}
