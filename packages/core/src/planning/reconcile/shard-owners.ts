/**
 * Which living master serves each shard, whatever slots it has by now: while slots are on their
 * way, a shard is known by its nodes and not by its slots.
 *
 * Redis decides who is master; here is only read off what all living nodes say.
 */
import type { LayoutShard } from '../../model/layout.ts';
import { formatRanges, normalizeRanges, SLOT_COUNT, type SlotRange } from '../../model/slots.ts';
import type { ViewNode } from '../../model/observation.ts';
import { containsSlots, intersectSlots, overlapsSlots, subtractSlots } from '../shards.ts';
import type { DistinctView, LiveNode } from '../situation.ts';
import { assignClaimants, claimOf, movedBetween } from './claimants.ts';
import type { OwnerQuestion } from './owner-question.ts';

const ALL_SLOTS: readonly SlotRange[] = [{ start: 0, end: SLOT_COUNT - 1 }];

/** The doubt of a shard whose slots, or some of them, nobody living owns. */
export const UNOWNED = 'no living node owns its slots';

/** A shard as the living see it. */
export interface OwnedShard {
  /** One that the layout does not have any more has no slots. */
  readonly shard: LayoutShard;
  /** The living nodes that are laid out for it, those of earlier layouts included. */
  readonly members: readonly LiveNode[];
  /**
   * The one living master that serves it. It may be laid out for another shard: whoever follows a
   * master may be elected in its place. Of a shard without slots: the master that shall get them.
   */
  readonly owner: LiveNode | undefined;
  /** What the owner, or any who claims to be it, has by any view. */
  readonly slots: readonly SlotRange[];
  /** What only the dead have, or nobody, as far as it is this shard's. */
  readonly missing: readonly SlotRange[];
  /** Why not all views agree on the owner and on what it has; empty when they do. */
  readonly doubt: string;
  /**
   * The id of a master that all views agree on, and that cannot be spoken to: its agent is away,
   * and its server is not. The shard is served; nothing can be done about it.
   */
  readonly remoteId: string | undefined;
  /** No view gives it a slot, and none is on its way to it: nothing of it can be lost. */
  readonly isEmpty: boolean;
}

export interface Owners {
  /** Of the layout, in its order. */
  readonly shards: readonly OwnedShard[];
  /** Of earlier layouts, as far as nodes of theirs are known. */
  readonly departed: readonly OwnedShard[];
  /** Masters with slots beside the one that serves their shard, each as a shard of its own. */
  readonly extras: readonly OwnedShard[];
}

export function findOwners(question: OwnerQuestion): Owners {
  const { layout, former } = question;
  const known = new Set(layout.shards.map(({ id }) => id));
  const gone = [...new Set(former.map(({ shard }) => shard))].filter((id) => !known.has(id));
  const departed: LayoutShard[] = gone.map((id) => ({ id, slots: [] }));
  const all = [...layout.shards, ...departed];
  const { claimants, extras } = assignClaimants(question, all);
  const missing = attributeMissing(question, all, claimants);
  const opened = openedTowards(question);
  const owned = all.map((shard) =>
    judgeShard(question, {
      shard,
      claimants: claimants.get(shard.id) ?? [],
      missing: missing.get(shard.id) ?? [],
      isOpen: opened.has(shard.id),
    }),
  );
  const count = layout.shards.length;
  return {
    shards: owned.slice(0, count),
    departed: owned.slice(count),
    extras: extras.map((live) => {
      const shard = { id: live.node.shard, slots: [] };
      return judgeShard(question, { shard, claimants: [live], missing: [], isOpen: false });
    }),
  };
}

/**
 * What no living node owns, by the shard whose loss it is: that of the node that had it, or where
 * that one was elected for another shard, the one that shall have it.
 */
function attributeMissing(
  question: OwnerQuestion,
  shards: readonly LayoutShard[],
  claimants: ReadonlyMap<string, readonly LiveNode[]>,
): ReadonlyMap<string, readonly SlotRange[]> {
  const { slotMap, settled, settledViews, byEndpoint, layout } = question;
  const living = new Set(settled.map(({ redis }) => redis.nodeId));
  const held = normalizeRanges(
    [...slotMap.claimed].flatMap(([id, slots]) => (living.has(id) ? slots : [])),
  );
  let left = subtractSlots(ALL_SLOTS, held);
  if (left.length === 0) return new Map();
  const dead = settledViews.flatMap(({ nodes }) =>
    [...nodes.values()].filter(({ nodeId, slots }) => !living.has(nodeId) && slots.length > 0),
  );
  const isHomes = (entry: ViewNode, home: LayoutShard) => {
    if (!layout.shards.includes(home) || overlapsSlots(entry.slots, home.slots)) return true;
    const isOthers = ({ nodeId, slots }: ViewNode) =>
      nodeId !== entry.nodeId && overlapsSlots(slots, home.slots);
    return !claimants.has(home.id) && !dead.some(isOthers);
  };
  const missing = new Map<string, SlotRange[]>();
  const add = (id: string, slots: readonly SlotRange[]) => {
    const shared = intersectSlots(slots, left);
    if (shared.length === 0) return;
    missing.set(id, normalizeRanges([...(missing.get(id) ?? []), ...shared]));
    left = subtractSlots(left, shared);
  };
  for (const entry of dead) {
    const id = byEndpoint.get(`${entry.address}:${entry.port}`)?.shard;
    const home = shards.find((shard) => shard.id === id);
    if (home !== undefined && isHomes(entry, home)) add(home.id, entry.slots);
  }
  for (const { id, slots } of shards) add(id, slots);
  return missing;
}

/** Shards to whose nodes slots are on their way: such a node may hold keys that nobody else has. */
function openedTowards({ settled, settledViews, byEndpoint }: OwnerQuestion): ReadonlySet<string> {
  const shards = new Set<string>();
  for (const { node, self } of settled)
    if ((self?.importing.length ?? 0) > 0) shards.add(node.shard);
  const byId = new Map(settled.map(({ node, redis }) => [redis.nodeId, node]));
  for (const { nodes } of settledViews) {
    for (const { migrating } of nodes.values()) {
      for (const { nodeId } of migrating) {
        const entry = nodes.get(nodeId);
        const at =
          entry === undefined ? undefined : byEndpoint.get(`${entry.address}:${entry.port}`);
        const shard = (byId.get(nodeId) ?? at)?.shard;
        if (shard !== undefined) shards.add(shard);
      }
    }
  }
  return shards;
}

interface ShardCase {
  readonly shard: LayoutShard;
  readonly claimants: readonly LiveNode[];
  readonly missing: readonly SlotRange[];
  readonly isOpen: boolean;
}

function judgeShard(question: OwnerQuestion, given: ShardCase): OwnedShard {
  const { settled, settledViews, slotMap } = question;
  const { shard, claimants, missing, isOpen } = given;
  const members = settled.filter((live) => live.node.shard === shard.id);
  const common = { shard, members, missing, slots: [], remoteId: undefined, isEmpty: false };
  const [owner] = claimants;
  if (claimants.length > 1) {
    const names = claimants.map((live) => live.node.key).join(' and ');
    const doubt = `${names} both own slots of it in some view`;
    const claimed = claimants.flatMap(({ redis }) => claimOf(slotMap, redis.nodeId));
    return { ...common, slots: normalizeRanges(claimed), owner: undefined, doubt };
  }
  if (owner === undefined) {
    if (missing.length > 0) {
      const remoteId = findRemote(settledViews, missing);
      return { ...common, owner: undefined, doubt: UNOWNED, remoteId };
    }
    const heir = chooseSlotless(question, shard, members);
    const doubt = heir === undefined ? 'it has no master yet' : doubtOwner(heir, settledViews);
    return { ...common, owner: heir, doubt, isEmpty: !isOpen };
  }
  const slots = claimOf(slotMap, owner.redis.nodeId);
  if (owner.redis.role !== 'master') {
    const doubt = `${owner.node.key} owns its slots in some view and says that it is a replica`;
    return { ...common, slots, owner: undefined, doubt };
  }
  const doubt =
    doubtOwner(owner, settledViews) ||
    doubtSlots(question, owner, slots) ||
    (missing.length > 0 ? `${UNOWNED} ${formatRanges(missing)}` : '');
  return { ...common, slots, owner, doubt };
}

/** Whoever of a shard without slots is, and shall be, master. */
function chooseSlotless(
  { roles, layout, isOnline, settled, slotMap }: OwnerQuestion,
  { id }: LayoutShard,
  members: readonly LiveNode[],
): LiveNode | undefined {
  const masters = members.filter(
    ({ node, redis }) =>
      redis.role === 'master' &&
      // One with slots serves another shard.
      claimOf(slotMap, redis.nodeId).length === 0 &&
      (roles.get(node.key) ?? 'stopped') !== 'stopped',
  );
  // Slots are on their way to it, and their keys are there.
  const filling = masters.find(({ self, redis }) => redis.keys > 0 || self?.importing.length);
  const wanted = masters.find(({ node }) => roles.get(node.key) === 'master');
  const chosen = filling ?? wanted;
  if (chosen !== undefined) return chosen;
  const preferred = layout.nodes.find(
    (node) => node.shard === id && roles.get(node.key) === 'master',
  );
  // It is on its way; who is there already becomes its replica.
  if (preferred !== undefined && isOnline(preferred.host)) return undefined;
  const followed = new Set(settled.map(({ self }) => self?.masterId));
  return masters.find(({ redis }) => followed.has(redis.nodeId)) ?? masters[0];
}

const TROUBLED = ['fail', 'fail?', 'noaddr', 'handshake'];

export function isTroubled(flags: readonly string[]): boolean {
  return TROUBLED.some((flag) => flags.includes(flag));
}

function doubtOwner(owner: LiveNode, views: readonly DistinctView[]): string {
  for (const view of views) {
    const holder = view.holders[0] ?? '';
    const entry = view.nodes.get(owner.redis.nodeId);
    if (entry === undefined) return `${holder} does not know ${owner.node.key}`;
    if (!entry.flags.includes('master') || isTroubled(entry.flags)) {
      return `${holder} sees ${owner.node.key} as ${entry.flags.join(',')}`;
    }
  }
  return '';
}

/** Whether what it claims is its own by all views, save what is on its way. */
function doubtSlots(question: OwnerQuestion, owner: LiveNode, slots: readonly SlotRange[]): string {
  const { slotMap, settled } = question;
  const { node, redis } = owner;
  const disputed = subtractSlots(slots, slotMap.agreed.get(redis.nodeId) ?? []);
  if (disputed.length === 0) return '';
  const others = settled.filter((live) => live !== owner);
  const rival = others.find((other) => {
    const both = intersectSlots(claimOf(slotMap, other.redis.nodeId), disputed);
    return subtractSlots(both, movedBetween(question, owner, other)).length > 0;
  });
  const claimed = others.flatMap((other) => claimOf(slotMap, other.redis.nodeId));
  const lone = subtractSlots(subtractSlots(disputed, normalizeRanges(claimed)), question.setAside);
  if (rival === undefined && lone.length === 0) return '';
  return `slots ${formatRanges(disputed)} are ${node.key}'s in some views only`;
}

/** The master of the missing slots that all living nodes reach, though we do not. */
function findRemote(
  views: readonly DistinctView[],
  missing: readonly SlotRange[],
): string | undefined {
  const [first, ...others] = views.map((view) => {
    const entry = [...view.nodes.values()].find(({ slots }) => containsSlots(slots, missing));
    return entry === undefined || isTroubled(entry.flags) ? undefined : entry.nodeId;
  });
  return others.every((id) => id === first) ? first : undefined;
}
