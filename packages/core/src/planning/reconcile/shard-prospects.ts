/**
 * What is to be expected of a shard that no living node owns for all to see: whether Redis settles
 * that by itself, our own starts bring it back, or a person is needed.
 *
 * Slots are never given to another node here: an empty owner is how data is lost for good.
 */
import type { LayoutNode, LayoutShard } from '../../model/layout.ts';
import { formatRanges } from '../../model/slots.ts';
import { stepKey } from '../../model/step.ts';
import { trailOf } from '../attempts.ts';
import { startStep } from '../nodes.ts';
import { hostOf, isOnline, seenNode } from '../situation.ts';
import { blocking, IDLE, mergeTurns, waiting, type Turn } from '../turn.ts';
import {
  endpointOf,
  findAtStake,
  hasMajority,
  isAgreed,
  mayHold,
  shallRun,
  shardOf,
  UNOWNED,
  type Fleet,
  type OwnedShard,
} from './fleet.ts';

/** Longer than detection (1.5 node timeouts) and several elections of the default timeout. */
const ELECTION_LIMIT_MS = 60_000;

/** Shards that are not plainly owned: waited for, or a person's. */
export function planProspects(fleet: Fleet): Turn {
  return mergeTurns(
    fleet.shards.map((owned) => {
      // A repair does without what it cannot speak to, as long as it serves.
      const isServed = owned.remoteId !== undefined && fleet.kind === 'repair';
      return isServed || isAgreed(owned) ? IDLE : planProspect(fleet, owned);
    }),
  );
}

/** Why nothing is done about the node now: what its shard's slots wait for. */
export function explainOwner(fleet: Fleet, node: LayoutNode): Turn {
  if (shardOf(fleet, node) === undefined) {
    return waiting(node.key, `shard ${node.shard} is of another layout`);
  }
  const owned = findAtStake(fleet, node);
  // It is safe, or master itself: why that is not handed off is said by handoffs.ts.
  if (owned === undefined || (isAgreed(owned) && owned.owner?.node.key === node.key)) return IDLE;
  if (!isAgreed(owned)) {
    const { waits, blockers } = planProspect(fleet, owned);
    if (blockers.length > 0) return { ...IDLE, blockers };
    return waiting(node.key, waits[0]?.reason ?? owned.doubt);
  }
  // What keeps the cluster down may be for a person to end: then that is said, and not waited for.
  if (!hasMajority(fleet) || planProspects(fleet).blockers.length > 0) return IDLE;
  return waiting(node.key, `${owned.owner?.node.key ?? ''} says cluster_state fail`);
}

function planProspect(fleet: Fleet, owned: OwnedShard): Turn {
  const { shard, owner, members, doubt } = owned;
  if (owned.remoteId !== undefined) return refuseRemote(fleet, owned);
  if (owner !== undefined && fleet.settledViews.length === 1) return refuseOtherOwners(owned);
  // Gossip and elections settle what the living disagree about.
  const isDisputed = owner !== undefined || doubt !== UNOWNED;
  if (isDisputed || mayReturn(fleet, owned)) return waiting(shard.id, doubt);
  const mayFailOver = members.some(({ redis }) => redis.role === 'replica') && hasMajority(fleet);
  if (mayFailOver && silentForMs(fleet, owned) < ELECTION_LIMIT_MS) {
    return waiting(shard.id, `${doubt}; Redis elects one of its replicas`);
  }
  return refuseLost(fleet, owned);
}

/** Whether one of its nodes is on its way, or is about to be started by this operation. */
function mayReturn(fleet: Fleet, { shard }: OwnedShard): boolean {
  return holdersOf(fleet, shard).some((node) => {
    if (!isOnline(fleet, node.host)) return false;
    const seen = seenNode(fleet, node.key);
    if (seen === undefined || seen.redis?.loading === true) return true;
    const { state, hasData, identityLost } = seen.process;
    if (identityLost) return false;
    if (state === 'starting' || state === 'backoff' || state === 'running') {
      return !fleet.liveByKey.has(node.key) && seen.redis === undefined;
    }
    return state === 'stopped' && hasData && shallRun(fleet, node);
  });
}

/** Since when its master is gone, as far as that is known: 0 if it is not. */
function silentForMs(fleet: Fleet, { shard }: OwnedShard): number {
  const times = holdersOf(fleet, shard).flatMap((node) => {
    if (fleet.liveByKey.has(node.key)) return [];
    if (!isOnline(fleet, node.host)) return [hostOf(fleet, node.host)?.lastSeenMs ?? 0];
    const failure = trailOf(fleet.attempts, stepKey(startStep(node))).failures[0];
    return failure === undefined ? [] : [failure.endedAtMs ?? failure.startedAtMs];
  });
  if (times.length > 0) return Math.max(0, fleet.now - Math.max(...times));
  // Else since this operation did its first step, if it did any.
  const begun = Math.min(...fleet.history.map((attempt) => attempt.startedAtMs));
  return Number.isFinite(begun) ? Math.max(0, fleet.now - begun) : 0;
}

/** The nodes laid out for the shard, and others that may hold its data. */
function holdersOf(fleet: Fleet, shard: LayoutShard): LayoutNode[] {
  const everyone = [...fleet.layout.nodes, ...fleet.former];
  return everyone.filter((node) => node.shard === shard.id || mayHold(fleet, node, shard));
}

function refuseLost(fleet: Fleet, { shard }: OwnedShard): Turn {
  const copies = holdersOf(fleet, shard);
  const held = copies.filter((node) => seenNode(fleet, node.key)?.process.state === 'held');
  const release = held.map(({ host, port }) => `redrover-agent release-node ${port} on ${host}`);
  return blocking({
    rule: 'slots-lost',
    subject: shard.id,
    message: `No living node owns slots ${formatRanges(shard.slots)} of shard ${shard.id}.`,
    evidence: copies.map((node) => `${node.key}: ${describeCopy(fleet, node)}`),
    remedy:
      'Bring one of these nodes back with its data (its host, or its directory from the trash ' +
      `folder of its host), then run redrover cluster repair ${fleet.layout.cluster}` +
      (release.length === 0 ? '' : `; to accept what a held node lacks: ${release.join(' or ')}`),
  });
}

function refuseRemote(fleet: Fleet, owned: OwnedShard): Turn {
  const { shard, remoteId } = owned;
  const waitedMs = silentForMs(fleet, owned);
  const node = remoteNode(fleet, remoteId);
  const name = node?.key ?? remoteId ?? '';
  if (waitedMs < ELECTION_LIMIT_MS && !isAway(fleet, node)) {
    return waiting(shard.id, `its master ${name} cannot be asked`);
  }
  return blocking({
    rule: 'master-out-of-reach',
    subject: shard.id,
    message: `The master of shard ${shard.id} is ${name}, which the other nodes reach and we do not.`,
    evidence: [
      `host ${node?.host ?? 'unknown'}: ${hostOf(fleet, node?.host ?? '')?.status ?? 'not known'}`,
    ],
    remedy: `Bring the agent of ${node?.host ?? name} back (redrover host show), then repair again`,
  });
}

function isAway(fleet: Fleet, node: LayoutNode | undefined): boolean {
  return node !== undefined && hostOf(fleet, node.host)?.status === 'lost';
}

function remoteNode(fleet: Fleet, nodeId: string | undefined): LayoutNode | undefined {
  for (const view of fleet.settledViews) {
    const entry = view.nodes.get(nodeId ?? '');
    const node = entry === undefined ? undefined : fleet.byEndpoint.get(endpointOf(entry));
    if (node !== undefined) return node;
  }
  return undefined;
}

/** All agree, and not on what the layout says: slots were moved by somebody else. */
function refuseOtherOwners({ shard, owner, doubt }: OwnedShard): Turn {
  return blocking({
    rule: 'slots-on-wrong-node',
    subject: shard.id,
    message: `Slots of shard ${shard.id} are on a node that the layout gives other slots.`,
    evidence: [doubt, `${owner?.node.key ?? ''} owns ${formatRanges(owner?.self?.slots ?? [])}`],
    remedy: 'Move the slots back (redis-cli --cluster reshard), then repair again',
  });
}

function describeCopy(fleet: Fleet, node: LayoutNode): string {
  const status = hostOf(fleet, node.host)?.status;
  if (status !== 'online') return `on host ${node.host}, which is ${status ?? 'not known'}`;
  const seen = seenNode(fleet, node.key);
  if (seen === undefined) return 'not reported';
  const { state, hasData, reason } = seen.process;
  const live = fleet.liveByKey.get(node.key);
  if (live !== undefined) return `${live.redis.role} with ${live.redis.keys} keys`;
  const data = hasData ? 'its directory holds data' : 'no data in its directory';
  return `${state}${reason === '' ? '' : ` (${reason})`}, ${data}`;
}
