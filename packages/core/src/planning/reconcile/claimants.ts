/**
 * Who claims to serve which shard: masters are known by what they are laid out for, save those that
 * were elected for another shard, or that have slots beside their shard's own master.
 */
import type { LayoutShard } from '../../model/layout.ts';
import { countSlots, normalizeRanges, type SlotRange } from '../../model/slots.ts';
import { containsSlots, intersectSlots, overlapsSlots, subtractSlots } from '../shards.ts';
import type { LiveNode } from '../situation.ts';
import type { OwnerQuestion } from './owner-question.ts';
import type { SlotMap } from './slot-map.ts';

/** Those who own slots by any view: two for one shard mean a failover that not all heard of. */
export function assignClaimants(question: OwnerQuestion, shards: readonly LayoutShard[]) {
  const { settled, slotMap } = question;
  const claiming = settled.filter(({ redis }) => claimOf(slotMap, redis.nodeId).length > 0);
  const home = Map.groupBy(claiming, ({ node }) => node.shard);
  const claimants = new Map<string, LiveNode[]>();
  const displaced: LiveNode[] = [];
  for (const shard of shards) {
    const own = home.get(shard.id) ?? [];
    const [first, ...others] = rankClaimants(question, shard, own);
    if (first === undefined) continue;
    const rivals = others.filter((other) => areRivals(question, [first, ...own], other));
    claimants.set(shard.id, [first, ...rivals]);
    displaced.push(...others.filter((other) => !rivals.includes(other)));
  }
  for (const [id, [only, ...more]] of claimants) {
    const isLone = only !== undefined && more.length === 0;
    if (isLone && isElectedElsewhere(question, shards, claimants, { id, only })) {
      claimants.delete(id);
      displaced.push(only);
    }
  }
  for (const [id, live] of findSwapped(question, shards, claimants)) {
    claimants.delete(id);
    displaced.push(live);
  }
  const extras: LiveNode[] = [];
  for (const live of displaced) {
    const adopted = chooseAdoption(slotMap, shards, claimants, live);
    if (adopted === undefined) extras.push(live);
    else claimants.set(adopted.id, [live]);
  }
  return { claimants, extras };
}

export function claimOf({ claimed }: SlotMap, id: string): readonly SlotRange[] {
  return claimed.get(id) ?? [];
}

/** Whoever has most of what the shard shall have comes first. */
function rankClaimants(
  { slotMap }: OwnerQuestion,
  { slots }: LayoutShard,
  claimants: readonly LiveNode[],
): LiveNode[] {
  const shared = ({ redis }: LiveNode) =>
    countSlots(intersectSlots(claimOf(slotMap, redis.nodeId), slots));
  return claimants.length < 2
    ? [...claimants]
    : claimants.toSorted((a, b) => shared(b) - shared(a));
}

/** Whether it claims what another of them claims, save what is moved between the two. */
function areRivals(question: OwnerQuestion, claimants: readonly LiveNode[], live: LiveNode) {
  const own = claimOf(question.slotMap, live.redis.nodeId);
  return claimants.some((other) => {
    if (other === live) return false;
    const both = intersectSlots(own, claimOf(question.slotMap, other.redis.nodeId));
    return subtractSlots(both, movedBetween(question, live, other)).length > 0;
  });
}

/** Slots that these two may both claim without anything being wrong. */
export function movedBetween(
  { moves, setAside }: OwnerQuestion,
  { node: a }: LiveNode,
  { node: b }: LiveNode,
): SlotRange[] {
  const between = moves.filter(
    ({ source, target }) =>
      (source === a.key && target === b.key) || (source === b.key && target === a.key),
  );
  return normalizeRanges([...between.flatMap(({ slots }) => slots), ...setAside]);
}

/**
 * A master that has nothing of its own shard and only what another shard without a master shall
 * have: it followed that one's master and was elected in its place. Unless it simply has what is to
 * be moved there: so a node of that shard must follow it, or its own shard's master be gone.
 */
function isElectedElsewhere(
  { settled, settledViews, slotMap }: OwnerQuestion,
  shards: readonly LayoutShard[],
  claimants: ReadonlyMap<string, readonly LiveNode[]>,
  { id, only }: { readonly id: string; readonly only: LiveNode },
): boolean {
  const own = claimOf(slotMap, only.redis.nodeId);
  const home = shards.find((shard) => shard.id === id);
  if (home === undefined || overlapsSlots(own, home.slots)) return false;
  const other = shards.find((shard) => !claimants.has(shard.id) && containsSlots(shard.slots, own));
  if (other === undefined) return false;
  const isFollowed = settled.some(
    ({ node, self }) => node.shard === other.id && self?.masterId === only.redis.nodeId,
  );
  const living = new Set(settled.map(({ redis }) => redis.nodeId));
  const isHomeLost = settledViews.some(({ nodes }) =>
    [...nodes.values()].some(
      ({ nodeId, slots }) => !living.has(nodeId) && overlapsSlots(slots, home.slots),
    ),
  );
  return isFollowed || isHomeLost;
}

/**
 * Masters that were elected in each other's place, by home: each has only what the other's shard shall
 * have, and is followed by a node of that one. Whose place would not become free stays where it is.
 */
function findSwapped(
  { settled, slotMap }: OwnerQuestion,
  shards: readonly LayoutShard[],
  claimants: ReadonlyMap<string, readonly LiveNode[]>,
): ReadonlyMap<string, LiveNode> {
  const places = new Map<string, { readonly live: LiveNode; readonly place: string }>();
  for (const home of shards) {
    const [live, ...more] = claimants.get(home.id) ?? [];
    if (live === undefined || more.length > 0) continue;
    const own = claimOf(slotMap, live.redis.nodeId);
    if (overlapsSlots(own, home.slots)) continue;
    const followers = settled.filter(({ self }) => self?.masterId === live.redis.nodeId);
    const place = shards.find(
      ({ id, slots }) =>
        id !== home.id &&
        containsSlots(slots, own) &&
        followers.some(({ node }) => node.shard === id),
    );
    if (place !== undefined) places.set(home.id, { live, place: place.id });
  }
  for (let count = -1; count !== places.size;) {
    count = places.size;
    for (const [id, { place }] of places) {
      if (claimants.has(place) && !places.has(place)) places.delete(id);
    }
  }
  return new Map([...places].map(([id, { live }]) => [id, live]));
}

/** The shard without a master of its own of whose slots it has most. */
function chooseAdoption(
  slotMap: SlotMap,
  shards: readonly LayoutShard[],
  claimants: ReadonlyMap<string, readonly LiveNode[]>,
  { redis }: LiveNode,
): LayoutShard | undefined {
  const shared = (shard: LayoutShard) =>
    countSlots(intersectSlots(claimOf(slotMap, redis.nodeId), shard.slots));
  const free = shards.filter((shard) => !claimants.has(shard.id) && shared(shard) > 0);
  return free.toSorted((a, b) => shared(b) - shared(a))[0];
}
