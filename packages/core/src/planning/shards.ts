/**
 * Who acts as master of each shard, by what the nodes say of themselves and of each other.
 *
 * Redis decides roles; a layout only prefers them. Where views contradict each other this waits
 * for Redis to settle it, and never guesses.
 */
import type { LayoutShard } from '../model/layout.ts';
import { countSlots, type SlotRange } from '../model/slots.ts';
import type { LiveNode, Situation } from './situation.ts';

export interface ShardState {
  readonly shard: LayoutShard;
  readonly members: readonly LiveNode[];
  /** Undefined while it is disputed. */
  readonly acting: LiveNode | undefined;
  /** Why there is no acting master; empty if there is one. */
  readonly dispute: string;
  /** Slots of the shard that the acting master does not own by its own view. */
  readonly missing: readonly SlotRange[];
}

export function assessShards(situation: Situation): ShardState[] {
  const attributed = attributeSlots(situation);
  return situation.layout.shards.map((shard) => {
    const members = situation.live.filter((live) => live.node.shard === shard.id);
    const { acting, dispute } = chooseActing(members, attributed);
    const own = acting?.self?.slots ?? [];
    return { shard, members, acting, dispute, missing: subtractSlots(shard.slots, own) };
  });
}

/** Ids of nodes to which any view attributes slots. */
export function attributeSlots(situation: Situation): ReadonlySet<string> {
  const owners = new Set<string>();
  for (const view of situation.views.values()) {
    for (const entry of view.nodes.values()) if (entry.slots.length > 0) owners.add(entry.nodeId);
  }
  return owners;
}

function chooseActing(
  members: readonly LiveNode[],
  attributed: ReadonlySet<string>,
): Pick<ShardState, 'acting' | 'dispute'> {
  // A node that owns slots by any view, its own included, is a claimant: two of them mean that a
  // failover is under way, or that a node came back and has not heard of one yet.
  const claimants = members.filter((live) => attributed.has(live.redis.nodeId));
  if (claimants.length > 1) {
    const names = claimants.map((live) => live.node.key).join(' and ');
    return { acting: undefined, dispute: `${names} both own slots in some view` };
  }
  const chosen =
    claimants[0] ?? members.find((live) => live.node.preferredRole === 'master') ?? members[0];
  const acting = chosen === undefined ? undefined : leaderOf(chosen, members);
  if (acting !== undefined) return { acting, dispute: '' };
  return { acting: undefined, dispute: `${chosen?.node.key ?? 'nobody'} is not a master` };
}

/** The node itself if it is a master, else the member that it follows, if that one is. */
function leaderOf(chosen: LiveNode, members: readonly LiveNode[]): LiveNode | undefined {
  if (chosen.redis.role === 'master') return chosen;
  const leader = members.find((live) => live.redis.nodeId === chosen.self?.masterId);
  return leader?.redis.role === 'master' ? leader : undefined;
}

/** The slots of `whole` that are not in `taken`; both in canonical form. */
export function subtractSlots(
  whole: readonly SlotRange[],
  taken: readonly SlotRange[],
): SlotRange[] {
  let left = [...whole];
  for (const cut of taken) {
    left = left.flatMap((range) => {
      if (cut.end < range.start || cut.start > range.end) return [range];
      const parts = [
        { start: range.start, end: cut.start - 1 },
        { start: cut.end + 1, end: range.end },
      ];
      return parts.filter((part) => part.start <= part.end);
    });
  }
  return left;
}

/** The slots that are in both; both in canonical form. */
export function intersectSlots(a: readonly SlotRange[], b: readonly SlotRange[]): SlotRange[] {
  return subtractSlots(a, subtractSlots(a, b));
}

/** Whether each slot of `inner` is in `outer`. */
export function containsSlots(outer: readonly SlotRange[], inner: readonly SlotRange[]): boolean {
  return countSlots(subtractSlots(inner, outer)) === 0;
}

/** Whether any slot is in both. */
export function overlapsSlots(a: readonly SlotRange[], b: readonly SlotRange[]): boolean {
  return a.some((one) => b.some(({ start, end }) => one.start <= end && start <= one.end));
}
