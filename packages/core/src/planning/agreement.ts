/**
 * When a cluster counts as usable: by every node's own word, not by one node's.
 *
 * Each check says what is still waited for; an empty list means that the cluster is formed.
 */
import { countSlots, normalizeRanges, SLOT_COUNT } from '../model/slots.ts';
import type { Waiting } from '../model/operation.ts';
import { meshComplete } from './mesh.ts';
import { isAttached } from './replicas.ts';
import type { ShardState } from './shards.ts';
import type { DistinctView, Situation } from './situation.ts';

/** The flags of a node that is not quite there, by whoever's view it is. */
const BAD_FLAGS = ['fail', 'fail?', 'handshake', 'noaddr'];

/** What keeps the nodes from agreeing on one complete cluster that says `ok`. */
export function missingAgreement(situation: Situation, shards: readonly ShardState[]): Waiting[] {
  const { layout, live } = situation;
  const waits: Waiting[] = [];
  const say = (subject: string, reason: string) => waits.push({ subject, reason });
  if (!meshComplete(situation)) say(layout.cluster, 'not all nodes know each other yet');
  for (const { acting, members, missing, shard } of shards) {
    if (acting === undefined || missing.length > 0) say(shard.id, 'its slots are not owned yet');
    const loose = members.filter((live) => live !== acting && acting && !isAttached(live, acting));
    for (const live of loose) say(live.node.key, 'not a replica of its shard yet');
  }
  if (situation.views.size > 1) {
    say(layout.cluster, `${situation.views.size} different views of the cluster`);
  }
  for (const view of situation.views.values()) {
    for (const reason of judgeView(view)) say(view.holders[0] ?? layout.cluster, reason);
  }
  for (const entry of live) {
    if (entry.redis.clusterState !== 'ok') say(entry.node.key, 'says cluster_state fail');
  }
  return waits;
}

/** A line for each kind of trouble, however many nodes have it. */
function judgeView(view: DistinctView): string[] {
  const entries = [...view.nodes.values()];
  const reasons: string[] = [];
  const covered = countSlots(normalizeRanges(entries.flatMap((entry) => entry.slots)));
  if (covered < SLOT_COUNT) reasons.push(`sees ${covered} of ${SLOT_COUNT} slots covered`);
  for (const flag of BAD_FLAGS) {
    const count = entries.filter((entry) => entry.flags.includes(flag)).length;
    if (count > 0) reasons.push(`sees ${count} nodes as ${flag}`);
  }
  if (entries.some((entry) => entry.migrating.length + entry.importing.length > 0)) {
    reasons.push('has slots that are open for migration');
  }
  const epochs = entries.flatMap((entry) => (entry.slots.length > 0 ? [entry.configEpoch] : []));
  if (new Set(epochs).size < epochs.length) {
    reasons.push('sees masters with equal config epochs, which Redis separates');
  }
  return reasons;
}

/** What keeps replicas from being in sync with the acting masters. */
export function missingSync(shards: readonly ShardState[]): Waiting[] {
  const waits: Waiting[] = [];
  for (const { members } of shards) {
    for (const { node, redis } of members) {
      const subject = node.key;
      if (redis.loading) waits.push({ subject, reason: 'loading its data' });
      else if (redis.role === 'master') continue;
      else if (redis.syncInProgress) waits.push({ subject, reason: 'replica syncing' });
      else if (redis.masterLinkUp !== true) {
        waits.push({ subject, reason: 'link to its master is not up yet' });
      }
    }
  }
  return waits;
}
