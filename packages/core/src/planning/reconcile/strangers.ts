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
  if (strangers.length < live.length) {
    return new Set([...strangers, ...findNewcomers(situation, new Set(strangers))]);
  }
  const survivor = findSurvivor(live);
  return new Set(strangers.filter((entry) => entry !== survivor));
}

/**
 * New nodes that have met each other and nobody else: where only one of the groups that know nothing of
 * each other has slots, that one is the cluster.
 */
function findNewcomers(
  { live, views, liveById }: Situation,
  strangers: ReadonlySet<LiveNode>,
): LiveNode[] {
  const groups = new Map<LiveNode, Set<LiveNode>>();
  for (const one of live) if (!strangers.has(one)) groups.set(one, new Set([one]));
  for (const { holders, nodes } of views.values()) {
    const known = [...nodes.values()].flatMap(({ nodeId, flags }) => {
      const other = flags.includes('handshake') ? undefined : liveById.get(nodeId);
      return other === undefined || !groups.has(other) ? [] : [other];
    });
    const spoken = new Set(holders);
    const speakers = live.filter((one) => groups.has(one) && spoken.has(one.node.key));
    joinGroups(groups, speakers.length === 0 ? [] : [...speakers, ...known]);
  }
  const all = [...new Set(groups.values())];
  const serving = all.filter((group) => [...group].some(({ self }) => self?.slots.length));
  if (serving.length !== 1) return [];
  return all.flatMap((group) => (serving.includes(group) ? [] : [...group]));
}

/** All of these know each other, if only by hearsay. */
function joinGroups(groups: Map<LiveNode, Set<LiveNode>>, members: readonly LiveNode[]): void {
  const parts = new Set(members.flatMap((member) => groups.get(member) ?? []));
  if (parts.size < 2) return;
  const whole = new Set([...parts].flatMap((part) => [...part]));
  for (const member of whole) groups.set(member, whole);
}

/** The one that is left of a cluster, among newcomers: it has slots, and remembers the others. */
function findSurvivor(live: readonly LiveNode[]): LiveNode | undefined {
  const survivors = live.filter(
    ({ self, redis }) => (self?.slots.length ?? 0) > 0 && redis.view.nodes.length > 1,
  );
  return survivors.length === 1 ? survivors[0] : undefined;
}
