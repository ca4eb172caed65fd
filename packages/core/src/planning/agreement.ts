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
import type { Situation } from './situation.ts';

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
    const owned = normalizeRanges([...view.nodes.values()].flatMap((entry) => entry.slots));
    const covered = countSlots(owned);
    const holder = view.holders[0] ?? layout.cluster;
    if (covered < SLOT_COUNT) say(holder, `sees ${covered} of ${SLOT_COUNT} slots covered`);
    for (const entry of view.nodes.values()) {
      const bad = entry.flags.find((flag) => BAD_FLAGS.includes(flag));
      if (bad !== undefined) say(holder, `sees ${entry.address}:${entry.port} as ${bad}`);
    }
    if (hasEqualEpochs(situation, [...view.nodes.values()])) {
      say(holder, 'sees masters with equal config epochs, which Redis separates');
    }
  }
  for (const entry of live) {
    if (entry.redis.clusterState !== 'ok') say(entry.node.key, 'says cluster_state fail');
  }
  return waits;
}

function hasEqualEpochs(
  situation: Situation,
  entries: readonly { readonly configEpoch: number; readonly slots: readonly unknown[] }[],
): boolean {
  const epochs = entries.filter((entry) => entry.slots.length > 0).map((e) => e.configEpoch);
  return situation.layout.shards.length > 1 && new Set(epochs).size < epochs.length;
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
