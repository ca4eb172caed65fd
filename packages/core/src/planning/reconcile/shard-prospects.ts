/**
 * What is to be expected of a shard that no living node owns for all to see: whether Redis settles
 * that by itself, our own starts bring it back, or a person is needed.
 *
 * Slots are never given to another node here: an empty owner is how data is lost for good.
 */
import type { LayoutNode } from '../../model/layout.ts';
import { formatRanges } from '../../model/slots.ts';
import { stepKey } from '../../model/step.ts';
import { trailOf } from '../attempts.ts';
import { startStep } from '../nodes.ts';
import { hostOf, isOnline, seenNode } from '../situation.ts';
import { blocking, IDLE, mergeTurns, waiting, type Turn } from '../turn.ts';
import {
  endpointOf,
  everyShard,
  findAtStake,
  hasMajority,
  hasSlots,
  isAgreed,
  isStillNeeded,
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
    everyShard(fleet).map((owned) => {
      // A repair does without what it cannot speak to, as long as it serves.
      const isServed = owned.remoteId !== undefined && fleet.kind === 'repair';
      // Without slots there is nothing to serve; that it lacks a master is said where it needs one.
      return isServed || isAgreed(owned) || !hasSlots(owned) ? IDLE : planProspect(fleet, owned);
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
  if (!isAgreed(owned) && hasSlots(owned)) {
    const { waits, blockers } = planProspect(fleet, owned);
    if (blockers.length > 0) return { ...IDLE, blockers };
    return waiting(node.key, waits[0]?.reason ?? owned.doubt);
  }
  if (owned.owner === undefined && !owned.isEmpty) return refuseFilling(fleet, node, owned);
  if (owned.owner?.redis.clusterState === 'ok') {
    return waiting(node.key, `slots of shard ${owned.shard.id} are on their way`);
  }
  // What keeps the cluster down may be for a person to end: then that is said, and not waited for.
  if (!hasMajority(fleet) || planProspects(fleet).blockers.length > 0) return IDLE;
  return waiting(node.key, `${owned.owner?.node.key ?? ''} says cluster_state fail`);
}

function planProspect(fleet: Fleet, owned: OwnedShard): Turn {
  const { shard, members, doubt } = owned;
  if (owned.remoteId !== undefined) return refuseRemote(fleet, owned);
  // Gossip and elections settle what the living disagree about.
  const isDisputed = !doubt.startsWith(UNOWNED);
  if (isDisputed || mayReturn(fleet, owned)) return waiting(shard.id, doubt);
  const mayFailOver = members.some(({ redis }) => redis.role === 'replica') && hasMajority(fleet);
  if (mayFailOver && silentForMs(fleet, owned) < ELECTION_LIMIT_MS) {
    return waiting(shard.id, `${doubt}; Redis elects one of its replicas`);
  }
  return refuseLost(fleet, owned);
}

/** Whether one of its nodes is on its way, or is about to be started by this operation. */
function mayReturn(fleet: Fleet, owned: OwnedShard): boolean {
  return holdersOf(fleet, owned).some((node) => {
    if (!isOnline(fleet, node.host)) return false;
    const seen = seenNode(fleet, node.key);
    if (seen === undefined || seen.redis?.loading === true) return true;
    const { state, hasData, identityLost } = seen.process;
    if (identityLost) return false;
    if (state === 'starting' || state === 'backoff' || state === 'running') {
      return !fleet.liveByKey.has(node.key) && seen.redis === undefined;
    }
    return state === 'stopped' && hasData && (shallRun(fleet, node) || isStillNeeded(fleet, node));
  });
}

/** Since when its master is gone, as far as that is known: 0 if it is not. */
function silentForMs(fleet: Fleet, owned: OwnedShard): number {
  const times = holdersOf(fleet, owned).flatMap((node) => {
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
function holdersOf(fleet: Fleet, owned: OwnedShard): LayoutNode[] {
  const everyone = [...fleet.layout.nodes, ...fleet.former];
  return everyone.filter((node) => node.shard === owned.shard.id || mayHold(fleet, node, owned));
}

function refuseLost(fleet: Fleet, owned: OwnedShard): Turn {
  const { shard, missing } = owned;
  const copies = holdersOf(fleet, owned);
  const held = copies.filter((node) => seenNode(fleet, node.key)?.process.state === 'held');
  const release = held.map(({ host, port }) => `redrover-agent release-node ${port} on ${host}`);
  return blocking({
    rule: 'slots-lost',
    subject: shard.id,
    message: `No living node owns slots ${formatRanges(missing)} of shard ${shard.id}.`,
    evidence: copies.map((node) => `${node.key}: ${describeCopy(fleet, node)}`),
    remedy:
      'Bring one of these nodes back with its data (its host, or its directory from the trash ' +
      `folder of its host), then run redrover cluster repair ${fleet.layout.cluster}` +
      (release.length === 0 ? '' : `; to accept what a held node lacks: ${release.join(' or ')}`),
  });
}

/**
 * The first slots of a new shard were on their way to it when its master went: their keys are at that
 * master, and a replica of it is not elected, as it has no slot yet.
 */
function refuseFilling(fleet: Fleet, node: LayoutNode, { shard }: OwnedShard): Turn {
  return blocking({
    rule: 'keys-on-their-way',
    subject: node.key,
    message: `Node ${node.key} is left as it is: it may have keys of slots that were on their way to ${shard.id}.`,
    evidence: [`${node.key}: ${describeCopy(fleet, node)}`],
    remedy:
      `Bring ${node.key} back with its data (its redis.log says what keeps it down), then ` +
      `redrover cluster repair ${fleet.layout.cluster}`,
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
