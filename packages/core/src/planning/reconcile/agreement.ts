/**
 * When the living part of a cluster is calm: all of it agrees, nothing is open, and who shall be in
 * sync is. What the dead are remembered as does not count.
 */
import type { Waiting } from '../../model/operation.ts';
import { countSlots, normalizeRanges, SLOT_COUNT } from '../../model/slots.ts';
import { meshComplete } from '../mesh.ts';
import { isAttached } from '../replicas.ts';
import { isOnline, type DistinctView, type LiveNode } from '../situation.ts';
import {
  everyShard,
  hasSlots,
  isAgreed,
  isInSync,
  isOrphanage,
  isTroubled,
  shallRun,
  shardOwnedBy,
  type Fleet,
  type OwnedShard,
} from './fleet.ts';
import { meshOf } from './joining.ts';
import { listUndecidedSlots } from './undecided-slots.ts';

/**
 * What keeps the living from agreeing on one cluster that says `ok`, and from being in sync. While
 * slots are `moving`, some of them are open, and the two ends' epochs are on their way.
 */
export function missingCalm(fleet: Fleet, state: 'still' | 'moving' = 'still'): Waiting[] {
  const { layout } = fleet;
  const waits: Waiting[] = [];
  const say = (subject: string, reason: string) => waits.push({ subject, reason });
  if (!fleet.isImpaired && !meshComplete(meshOf(fleet))) {
    say(layout.cluster, 'not all nodes know each other yet');
  }
  for (const owned of everyShard(fleet)) {
    const isServed = isAgreed(owned) || owned.remoteId !== undefined || isLeft(fleet, owned);
    if (!isServed) say(owned.shard.id, owned.doubt);
  }
  const isClosed = closedBut(fleet, state);
  for (const view of fleet.settledViews) {
    for (const reason of judgeView(fleet, view, isClosed))
      say(view.holders[0] ?? layout.cluster, reason);
  }
  for (const live of fleet.live) {
    if (!shallRun(fleet, live.node) || live.redis.clusterState === 'ok') continue;
    if (state === 'moving' && isDownByImports(live)) continue;
    say(live.node.key, 'says cluster_state fail');
  }
  return [...waits, ...missingSync(fleet)];
}

/** A shard without slots is done without: one that goes, or whose nodes cannot be reached. */
function isLeft(fleet: Fleet, owned: OwnedShard): boolean {
  if (hasSlots(owned)) return false;
  const isOnItsWay = fleet.layout.nodes.some(
    (node) => node.shard === owned.shard.id && shallRun(fleet, node) && isOnline(fleet, node.host),
  );
  // Its master serves another one, and hands that over first.
  const isBusy = owned.members.some(
    (live) =>
      fleet.roles.get(live.node.key) === 'master' && shardOwnedBy(fleet, live) !== undefined,
  );
  return !isOnItsWay || isBusy || fleet.isImpaired;
}

/**
 * Whether it takes all slots to be served but those that it imports: it names a source that was replaced, or nobody, and
 * believes nobody else. What is opened anew between the present masters tells it who owns them.
 */
function isDownByImports({ redis, self }: LiveNode): boolean {
  const served = redis.view.nodes.filter(({ flags }) => !isTroubled(flags));
  const imported = (self?.importing ?? []).map(({ slot }) => ({ start: slot, end: slot }));
  const known = normalizeRanges([...served.flatMap(({ slots }) => slots), ...imported]);
  return imported.length > 0 && countSlots(known) === SLOT_COUNT;
}

/** Whether a slot counts as closed: those that a person decides about may stay open. */
function closedBut(fleet: Fleet, state: 'still' | 'moving'): (slot: number) => boolean {
  if (state === 'moving') return () => true;
  const slots = listUndecidedSlots(fleet);
  return (slot) => slots.has(slot);
}

function missingSync(fleet: Fleet): Waiting[] {
  return fleet.shards.flatMap(({ owner, members }) =>
    members.flatMap((live): Waiting[] => {
      if (owner === undefined || !shallRun(fleet, live.node)) return [];
      // Its own shard's, or another's that it hands over first.
      if (shardOwnedBy(fleet, live) !== undefined) return [];
      // What it holds is for a person to look at.
      if (isOrphanage(fleet, live)) return [];
      const subject = live.node.key;
      if (!isAttached(live, owner)) {
        return fleet.isImpaired ? [] : [{ subject, reason: 'not a replica of its shard yet' }];
      }
      if (isInSync(live, owner)) return [];
      const reason = live.redis.syncInProgress
        ? 'replica syncing'
        : 'link to its master is not up yet';
      return [{ subject, reason }];
    }),
  );
}

/** What a view says of living nodes against their own word. */
function judgeView(
  fleet: Fleet,
  view: DistinctView,
  isClosed: (slot: number) => boolean,
): string[] {
  const reasons: string[] = [];
  const epochs: number[] = [];
  for (const entry of view.nodes.values()) {
    if ([...entry.migrating, ...entry.importing].some(({ slot }) => !isClosed(slot))) {
      reasons.push('has slots that are open for migration');
    }
    const live = fleet.liveById.get(entry.nodeId);
    if (live === undefined) continue;
    const { key } = live.node;
    if (entry.slots.length > 0) epochs.push(entry.configEpoch);
    if (isTroubled(entry.flags)) reasons.push(`sees ${key} as ${entry.flags.join(',')}`);
    const saysReplica = live.redis.role === 'replica';
    if (saysReplica !== (entry.masterId !== '') || live.self?.masterId !== entry.masterId) {
      reasons.push(`has not heard whom ${key} follows`);
    }
  }
  if (new Set(epochs).size < epochs.length) {
    reasons.push('sees masters with equal config epochs, which Redis separates');
  }
  return reasons;
}
