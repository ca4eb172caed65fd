/** Living nodes that are not part of what the others call their cluster: new ones, and such as lost their identity. */
import type { LiveNode, Situation } from '../situation.ts';

/** Alone in the world a node is no stranger: there is nobody who could know it. */
export function findStrangers(situation: Situation): Set<LiveNode> {
  const { live, views } = situation;
  if (live.length < 2) return new Set();
  const known = new Set<string>();
  for (const view of views.values()) {
    for (const entry of view.nodes.values()) {
      const holder = view.holders[0];
      const isOnlyOwn =
        view.holders.length === 1 &&
        situation.liveByKey.get(holder ?? '')?.redis.nodeId === entry.nodeId;
      if (!isOnlyOwn && !entry.flags.includes('handshake')) known.add(entry.nodeId);
    }
  }
  const strangers = live.filter((entry) => !known.has(entry.redis.nodeId));
  if (strangers.length < live.length) return new Set(strangers);
  const survivor = findSurvivor(live);
  return new Set(strangers.filter((entry) => entry !== survivor));
}

/** The one that is left of a cluster, among newcomers: it has slots, and remembers the others. */
function findSurvivor(live: readonly LiveNode[]): LiveNode | undefined {
  const survivors = live.filter(
    ({ self, redis }) => (self?.slots.length ?? 0) > 0 && redis.view.nodes.length > 1,
  );
  return survivors.length === 1 ? survivors[0] : undefined;
}
