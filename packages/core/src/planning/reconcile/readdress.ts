/**
 * Nodes whose host has another address than they bind to and announce: stopped, prepared for the
 * new address and started again. Redis' gossip carries the new address; node ids stay.
 */
import type { LayoutNode } from '../../model/layout.ts';
import type { NodeObservation } from '../../model/observation.ts';
import { nodePlanOf, type Step } from '../../model/step.ts';
import { hasBuild } from '../builds.ts';
import { refuseOtherConfig, startStep } from '../nodes.ts';
import { planHashOf } from '../plan-hash.ts';
import { seenNode, type LiveNode } from '../situation.ts';
import { blocking, IDLE, waiting, type Turn } from '../turn.ts';
import {
  isInSync,
  isOwnedElsewhere,
  isReplicaByAll,
  isTroubled,
  shallRun,
  shardOf,
  shardOwnedBy,
  type Fleet,
} from './fleet.ts';
import { tryChain } from './phases.ts';
import { explainOwner } from './shard-prospects.ts';

/** A process that is down and whose config is of another plan: it is made to fit, with its data. */
export function planRefit(fleet: Fleet, node: LayoutNode): Turn {
  const hasData = seenNode(fleet, node.key)?.process.hasData === true;
  if (!hasData && !isOwnedElsewhere(fleet, node)) return explainOwner(fleet, node);
  return refit(fleet, node);
}

/** A process that answers, on whatever address it has. */
export function planReaddress(fleet: Fleet, live: LiveNode, seen: NodeObservation): Turn {
  const { node } = live;
  const plan = nodePlanOf(fleet.layout, node, fleet.release);
  if (seen.process.planHash === planHashOf(plan)) return IDLE;
  if (!needsReaddress(fleet, live)) return refuseOtherConfig(fleet, node, seen);
  const owned = shardOf(fleet, node);
  const others = (owned?.members ?? []).filter(
    (member) => member !== live && shallRun(fleet, member.node),
  );
  if (!isReachedByOthers(fleet, live)) return refit(fleet, node);
  if (owned?.owner === live) {
    // Handed off first, which handoffs.ts does.
    return others.length > 0 ? IDLE : refuseOnlyCopy(live);
  }
  if (owned?.owner === undefined || !isOwnedElsewhere(fleet, node))
    return explainOwner(fleet, node);
  if (!isReplicaByAll(fleet, live)) return waiting(node.key, 'not a replica by every view yet');
  const { owner } = owned;
  const away = others.find((member) => member !== owner && !isInSync(member, owner));
  const earlier = others.find(
    (member) => member !== owner && needsReaddress(fleet, member) && isBefore(fleet, member, live),
  );
  // It is master of another shard, which it hands over first.
  if (away !== undefined && shardOwnedBy(fleet, away) !== undefined) return IDLE;
  const first = away ?? earlier;
  if (first !== undefined) return waiting(node.key, `restarts after ${first.node.key}`);
  return refit(fleet, node);
}

/** Whether the node's config in force differs from what the layout wants in the address alone. */
export function needsReaddress(fleet: Fleet, { node, self }: LiveNode): boolean {
  const hash = seenNode(fleet, node.key)?.process.planHash;
  const hashAt = (address: string) =>
    planHashOf(nodePlanOf(fleet.layout, { ...node, address }, fleet.release));
  return self !== undefined && hash !== hashAt(node.address) && hash === hashAt(self.address);
}

/** Whether any other node still talks to it. */
function isReachedByOthers(fleet: Fleet, live: LiveNode): boolean {
  return fleet.live.some((other) => {
    if (other === live) return false;
    const entry = other.redis.view.nodes.find(({ nodeId }) => nodeId === live.redis.nodeId);
    return entry !== undefined && !isTroubled(entry.flags);
  });
}

function isBefore({ layout }: Fleet, a: LiveNode, b: LiveNode): boolean {
  return layout.nodes.indexOf(a.node) < layout.nodes.indexOf(b.node);
}

function refit(fleet: Fleet, node: LayoutNode): Turn {
  const { host, key, address } = node;
  if (!hasBuild(fleet, host)) return waiting(key, 'its host has no build yet');
  const plan = nodePlanOf(fleet.layout, node, fleet.release);
  const steps: Step[] = [
    { kind: 'stopNode', host, node: key },
    { kind: 'prepareNode', host, plan },
    startStep(node),
  ];
  return tryChain(fleet, steps, {
    what: `restarting ${key} on ${address}`,
    subject: key,
    remedy: `Repair what the message names on ${host}, then repair again`,
  });
}

function refuseOnlyCopy({ node, self }: LiveNode): Turn {
  return blocking({
    rule: 'only-copy',
    subject: node.key,
    message:
      `Node ${node.key} is to move from ${self?.address ?? ''} to ${node.address}, and there is ` +
      `no other node of shard ${node.shard} that could be master meanwhile.`,
    evidence: [`it is master of the shard and the others still reach it`],
    remedy: `Bring another node of ${node.shard} back first; redrover cluster check shows them`,
  });
}
