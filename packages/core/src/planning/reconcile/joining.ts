/**
 * Makes the living nodes one cluster again: those that do not know each other meet, and every node
 * becomes a replica of its own shard's master.
 */
import type { AttachReplicaStep } from '../../model/step.ts';
import { tryStep } from '../attempts.ts';
import { planMeets, planProbes } from '../mesh.ts';
import { isAttached } from '../replicas.ts';
import { viewOf, type LiveNode, type Situation } from '../situation.ts';
import { blocking, IDLE, mergeTurns, waiting, type Turn } from '../turn.ts';
import {
  isAgreed,
  isInSync,
  isTroubled,
  ownsByAnyView,
  shallRun,
  type Fleet,
  type OwnedShard,
} from './fleet.ts';
import { isBusy } from './phases.ts';
import { isLostIdentity } from './recreate.ts';

export function planJoining(fleet: Fleet): Turn {
  const mesh = meshOf(fleet);
  const probes = planProbes(mesh);
  // No MEET before every port has been probed; attaching those who have met needs none.
  const meeting = isBusy(probes) || probes.blockers.length > 0 ? probes : planMeets(mesh);
  return mergeTurns([meeting, ...fleet.shards.map((owned) => planAttaching(fleet, owned))]);
}

/** The nodes that must know each other: those that shall run, and whoever owns slots meanwhile. */
export function meshOf(fleet: Fleet): Situation {
  const owners = new Set(fleet.shards.map(({ owner }) => owner));
  const live = fleet.live.filter(
    (entry) => (shallRun(fleet, entry.node) || owners.has(entry)) && !isLostIdentity(fleet, entry),
  );
  return { ...fleet, live, layout: { ...fleet.layout, nodes: live.map(({ node }) => node) } };
}

function planAttaching(fleet: Fleet, owned: OwnedShard): Turn {
  const { owner, shard } = owned;
  if (owner === undefined || !isAgreed(owned)) return IDLE;
  const loose = fleet.live.filter(
    (live) =>
      live.node.shard === shard.id &&
      live !== owner &&
      shallRun(fleet, live.node) &&
      !isAttached(live, owner) &&
      !isLostIdentity(fleet, live),
  );
  return mergeTurns(loose.map((live) => planAttach(fleet, live, owner)));
}

/** Attaching makes a node throw its data away: never one that owns slots, or has data of its own. */
function planAttach(fleet: Fleet, live: LiveNode, owner: LiveNode): Turn {
  const { node, redis, self } = live;
  const claims = (self?.slots.length ?? 0) > 0;
  if (claims || ownsByAnyView(fleet.settledViews, live)) {
    return waiting(node.key, 'still owns slots in some view');
  }
  if (redis.role === 'master' && redis.keys > 0) {
    return waiting(node.key, `a master without slots that holds ${redis.keys} keys`);
  }
  const kept = keptElsewhere(fleet, live);
  if (kept !== undefined) return kept;
  const entry = viewOf(fleet, live).get(owner.redis.nodeId);
  if (entry?.flags.includes('master') !== true || isTroubled(entry.flags)) {
    return waiting(node.key, `does not know its master ${owner.node.key} yet`);
  }
  const step: AttachReplicaStep = {
    kind: 'attachReplica',
    host: node.host,
    node: node.key,
    master: owner.node.key,
    masterNodeId: owner.redis.nodeId,
  };
  return tryStep(fleet.attempts, step, {
    now: fleet.now,
    what: `attaching ${node.key} to ${owner.node.key}`,
    subject: node.key,
    remedy: `redrover cluster check ${fleet.layout.cluster} shows what the nodes say`,
  });
}

/**
 * A replica of another shard's master is not taken from it while it is the only copy there of what
 * the layout wants copied. Undefined: it may go.
 */
function keptElsewhere(fleet: Fleet, live: LiveNode): Turn | undefined {
  if (live.redis.role !== 'replica') return undefined;
  const other = fleet.shards.find(({ owner }) => owner?.redis.nodeId === live.self?.masterId);
  const master = other?.owner;
  if (other === undefined || master === undefined) return undefined;
  const own = fleet.layout.nodes.filter(
    (node) => node.shard === other.shard.id && node !== master.node && shallRun(fleet, node),
  );
  if (own.length === 0) return undefined;
  const copies = fleet.live.filter((entry) => entry !== live && isInSync(entry, master));
  if (copies.length > 0) return undefined;
  const { key } = live.node;
  const shard = other.shard.id;
  if (own.some((node) => fleet.liveByKey.has(node.key))) {
    return waiting(key, `is the only copy of shard ${shard} until its own replicas have synced`);
  }
  return blocking({
    rule: 'replica-of-another-shard',
    subject: key,
    message: `Node ${key} is the only copy of shard ${shard} now, so it is left where it is.`,
    evidence: own.map((node) => `${node.key} does not run`),
    remedy: `Bring ${own.map((node) => node.key).join(' or ')} back, then repair again`,
  });
}
