/**
 * Makes the living nodes one cluster again: those that do not know each other meet, and every node
 * becomes a replica of its own shard's master.
 */
import { formatRanges } from '../../model/slots.ts';
import type { AttachReplicaStep } from '../../model/step.ts';
import { tryStep } from '../attempts.ts';
import { planMeets, planProbes } from '../mesh.ts';
import { isAttached } from '../replicas.ts';
import { seenNode, viewOf, type LiveNode, type Situation } from '../situation.ts';
import { blocking, IDLE, isIdle, mergeTurns, waiting, type Turn } from '../turn.ts';
import {
  everyShard,
  isAgreed,
  isFormer,
  isInSync,
  isOrphanage,
  isTroubled,
  ownsByAnyView,
  shallRun,
  shardOf,
  shardOwnedBy,
  type Fleet,
  type OwnedShard,
} from './fleet.ts';
import { clearOfMoves } from './clear-of-moves.ts';
import { isBusy } from './phases.ts';
import { needsReaddress } from './readdress.ts';
import { isLostIdentity, planAnew } from './recreate.ts';

export function planJoining(fleet: Fleet): Turn {
  const mesh = meshOf(fleet);
  const probes = planProbes(mesh);
  // No MEET before every port has been probed; attaching those who have met needs none.
  const meeting = isBusy(probes) || probes.blockers.length > 0 ? probes : planMeets(mesh);
  return mergeTurns([
    meeting,
    ...fleet.shards.map((owned) => planAttaching(fleet, owned)),
    ...fleet.shards.map((owned) => planRebirth(fleet, owned)),
  ]);
}

/** The nodes that must know each other: those that shall run, and whoever owns slots meanwhile. */
export function meshOf(fleet: Fleet): Situation {
  const owners = new Set(everyShard(fleet).map(({ owner }) => owner));
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
      // Who is master of another shard hands that over first.
      shardOwnedBy(fleet, live) === undefined &&
      shallRun(fleet, live.node) &&
      !isAttached(live, owner) &&
      !isOrphanage(fleet, live) &&
      !isLostIdentity(fleet, live),
  );
  return mergeTurns(loose.map((live) => planAttach(fleet, live, owner)));
}

/**
 * A shard without slots whose master became a replica, of whomever: Redis lets no replica become a
 * master without slots to take over, so it is made anew.
 */
function planRebirth(fleet: Fleet, owned: OwnedShard): Turn {
  const { owner, shard, isEmpty } = owned;
  if (owner !== undefined || !isEmpty) return IDLE;
  const live = fleet.live.find(
    ({ node }) => node.shard === shard.id && fleet.roles.get(node.key) === 'master',
  );
  const seen = live === undefined ? undefined : seenNode(fleet, live.node.key);
  if (live?.redis.role !== 'replica' || seen === undefined) return IDLE;
  return keptElsewhere(fleet, live) ?? planAnew(fleet, live.node, seen);
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
  // A full copy is a burden on a master that sends or gets slots as well.
  const moving = clearOfMoves(fleet, [node, owner.node]);
  if (!isIdle(moving)) return moving;
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
  const master = fleet.liveById.get(live.self?.masterId ?? '');
  if (master === undefined) return keptForTheDead(fleet, live);
  const other = shardOwnedBy(fleet, master) ?? shardOf(fleet, master.node);
  if (other?.shard.id === live.node.shard) return undefined;
  // Of a shard without slots there is nothing to keep.
  if (other === undefined || other.isEmpty) return undefined;
  // Nor of a master that serves nothing any more, while another one serves its shard.
  const isIdleMaster =
    (master.self?.importing.length ?? 0) === 0 && !ownsByAnyView(fleet.settledViews, master);
  if (other.owner !== master && isAgreed(other) && isIdleMaster) return undefined;
  if (other.owner !== master || !isAgreed(other)) {
    return waiting(live.node.key, `follows ${master.node.key}: ${other.doubt}`);
  }
  if (fleet.extras.includes(other)) return keptForExtra(fleet, live, master);
  const own = fleet.layout.nodes.filter(
    (node) => node.shard === other.shard.id && node !== master.node && shallRun(fleet, node),
  );
  const living = own.flatMap((node) => fleet.liveByKey.get(node.key) ?? []);
  const isCopied = living.some((copy) => isInSync(copy, master) && !needsReaddress(fleet, copy));
  if (own.length === 0 || isCopied) return undefined;
  const serves = (copy: LiveNode) => shardOwnedBy(fleet, copy) !== undefined;
  // Those that shall copy it give their own slots away first.
  if (living.length > 0 && living.every((copy) => serves(copy) && !isStray(fleet, copy))) {
    return keptForExtra(fleet, live, master);
  }
  const { key } = live.node;
  const shard = other.shard.id;
  if (living.some((copy) => !isStray(fleet, copy))) {
    return waiting(key, `is the only copy of shard ${shard} until its own replicas have synced`);
  }
  return blocking({
    rule: 'replica-of-another-shard',
    subject: key,
    message: `Node ${key} is the only copy of shard ${shard} now, so it is left where it is.`,
    evidence: own.map(({ key: name }) => describeAbsence(fleet, name)),
    remedy: `Make ${own.map((node) => node.key).join(' or ')} follow ${master.node.key}, then repair again`,
  });
}

/**
 * Nobody can copy the master before slots were moved: its only copy stays until then. Unless the shard of
 * that copy gets no slots without it.
 */
function keptForExtra(fleet: Fleet, live: LiveNode, master: LiveNode): Turn | undefined {
  const before = fleet.live.slice(0, fleet.live.indexOf(live));
  // Of several the first one stays: they are looked at in one turn.
  const stays = (copy: LiveNode) => isFormer(fleet, copy.node) || before.includes(copy);
  const isCopied = (owner: LiveNode) =>
    fleet.live.some((copy) => copy !== live && stays(copy) && isInSync(copy, owner));
  const owner = shardOf(fleet, live.node)?.owner;
  if (isCopied(master) || (owner !== undefined && !isCopied(owner))) return undefined;
  return blocking({
    rule: 'replica-of-another-shard',
    subject: live.node.key,
    message: `Node ${live.node.key} is left where it is: it has the only copy of what ${master.node.key} owns.`,
    evidence: [`${master.node.key} owns slots ${formatRanges(master.self?.slots ?? [])}`],
    remedy: `Move these slots to other shards, then redrover cluster repair ${fleet.layout.cluster}`,
  });
}

/** Its master is gone and nobody has taken over its slots: this may be the last copy of them. */
function keptForTheDead(fleet: Fleet, { node, self }: LiveNode): Turn | undefined {
  const entries = [...fleet.views.values()].flatMap(
    (view) => view.nodes.get(self?.masterId ?? '') ?? [],
  );
  const entry = entries.find(({ slots }) => slots.length > 0);
  if (entry === undefined) return undefined;
  const where = `${entry.address}:${entry.port}`;
  return blocking({
    rule: 'replica-of-another-shard',
    subject: node.key,
    message: `Node ${node.key} is left where it is: it has a copy of what ${where} owns.`,
    evidence: [`${where} owns slots ${formatRanges(entry.slots)} and does not answer`],
    remedy: `Bring ${where} back, then repair again`,
  });
}

/** Whether it serves another shard than its own, as its master or as a replica. */
function isStray(fleet: Fleet, live: LiveNode): boolean {
  const { node, self } = live;
  const master = shardOwnedBy(fleet, live) ? live : fleet.liveById.get(self?.masterId ?? '');
  if (master === undefined) return false;
  return (shardOwnedBy(fleet, master)?.shard.id ?? master.node.shard) !== node.shard;
}

function describeAbsence(fleet: Fleet, key: string): string {
  const live = fleet.liveByKey.get(key);
  if (live === undefined) return `${key} does not run`;
  const master = fleet.liveById.get(live.self?.masterId ?? '');
  const own = shardOwnedBy(fleet, live);
  if (own !== undefined) return `${key} is master of ${own.shard.id}`;
  return `${key} follows ${master?.node.key ?? 'nobody'}`;
}
