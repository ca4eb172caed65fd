/**
 * What a reconciling plan works on: the nodes of the layout and those of earlier layouts together,
 * who of them belongs to the cluster, and who owns each shard.
 *
 * Redis decides who is master; here is only read off what all of them say. Nothing is decided.
 */
import type { Layout, LayoutNode, NodeKey } from '../../model/layout.ts';
import type { NodeObservation, Observation } from '../../model/observation.ts';
import { effectiveRoles, type EffectiveRole } from '../../placement/effective-roles.ts';
import type { SlotRange } from '../../model/slots.ts';
import { overlapsSlots } from '../shards.ts';
import {
  assessSituation,
  isOnline,
  seenNode,
  viewOf,
  type DistinctView,
  type LiveNode,
  type PlanInput,
  type Situation,
} from '../situation.ts';
import { listActiveMoves, moveOn, wasMoveEnd, type ActiveMove } from './movers.ts';
import { quarantinedRanges } from './quarantine.ts';
import { findOwners, type OwnedShard } from './shard-owners.ts';
import { readSlotMap, type SlotMap } from './slot-map.ts';
import { findStrangers } from './strangers.ts';

export { isTroubled, UNOWNED, type OwnedShard } from './shard-owners.ts';

/**
 * `live` holds the nodes of the layout and of earlier ones that run, answer, have loaded their data
 * and carry the cluster's marker; `layout.nodes` is of the current layout alone.
 */
export interface Fleet extends Situation {
  readonly roles: ReadonlyMap<NodeKey, EffectiveRole>;
  /** Nodes of earlier layouts that this one does not have, each once. */
  readonly former: readonly LayoutNode[];
  /** Where nodes are, those of earlier layouts included: `address:port` to node. */
  readonly byEndpoint: ReadonlyMap<string, LayoutNode>;
  /** Living nodes whose id no other living node knows: new, or strangers to their own cluster. */
  readonly strangers: ReadonlySet<LiveNode>;
  /** The views of all living nodes but strangers. */
  readonly settledViews: readonly DistinctView[];
  /** Who owns which slot, by these views. */
  readonly slotMap: SlotMap;
  /** The layout's, in its order. */
  readonly shards: readonly OwnedShard[];
  /** Those that only earlier layouts have: they go once their slots are elsewhere. */
  readonly departed: readonly OwnedShard[];
  /** Masters with slots beside the one that serves their shard, each as a shard of its own. */
  readonly extras: readonly OwnedShard[];
  /** Movers of the cluster that are, or may be, at work. */
  readonly moves: readonly ActiveMove[];
  /** Slots that are left where they are for a person to decide. */
  readonly setAside: readonly SlotRange[];
  /** Whether a person is needed for some node: what it lacks is not waited for then. */
  readonly isImpaired: boolean;
}

export function assessFleet(given: PlanInput): Fleet {
  const former = dedupeFormer(given);
  const everyone = [...given.layout.nodes, ...former];
  const observation = trustedOnly(given, everyone);
  const input = { ...given, former, observation };
  const situation = assessSituation({ ...input, layout: { ...given.layout, nodes: everyone } });
  const strangers = findStrangers(situation);
  const settled = situation.live.filter((live) => !strangers.has(live));
  const hashes = new Set(settled.map((live) => live.redis.view.hash));
  const settledViews = [...situation.views].flatMap(([hash, view]) =>
    hashes.has(hash) ? [view] : [],
  );
  const found = {
    roles: effectiveRoles(given.layout),
    byEndpoint: indexEndpoints(former, given.layout),
    settledViews,
    slotMap: readSlotMap(settledViews),
    moves: listActiveMoves(given, situation.attempts),
    setAside: quarantinedRanges(given.history),
  };
  const isHere = (host: string) => isOnline(situation, host);
  const owners = findOwners({ ...input, ...found, settled, isOnline: isHere });
  return { ...situation, ...input, ...found, ...owners, strangers, isImpaired: false };
}

/** Present places win over earlier ones. */
function indexEndpoints(former: readonly LayoutNode[], { nodes }: Layout) {
  return new Map([...former, ...nodes].map((node) => [endpointOf(node), node]));
}

export function endpointOf(node: { readonly address: string; readonly port: number }): string {
  return `${node.address}:${node.port}`;
}

/** The same node may be in many earlier layouts, with other addresses; the last one counts. */
function dedupeFormer({ layout, former }: PlanInput): LayoutNode[] {
  const current = new Set(layout.nodes.map((node) => node.key));
  const byKey = new Map(former.map((node) => [node.key, node]));
  return [...byKey.values()].filter((node) => !current.has(node.key));
}

/**
 * What a node says counts once it is proved to be this cluster's and has loaded its data: while it
 * loads, it cannot be asked for its view (Redis answers LOADING).
 */
function trustedOnly({ layout, observation }: PlanInput, nodes: readonly LayoutNode[]) {
  const mute: Record<NodeKey, NodeObservation> = {};
  for (const { key } of nodes) {
    const seen = observation.nodes[key];
    if (seen?.redis === undefined) continue;
    const isOurs = seen.process.marker?.clusterId === layout.clusterId;
    if (!isOurs || seen.redis.loading) mute[key] = { ...seen, redis: undefined };
  }
  if (Object.keys(mute).length === 0) return observation;
  const trusted: Observation = { ...observation, nodes: { ...observation.nodes, ...mute } };
  return trusted;
}

export function ownsByAnyView(views: readonly DistinctView[], live: LiveNode): boolean {
  return views.some((view) => (view.nodes.get(live.redis.nodeId)?.slots.length ?? 0) > 0);
}

/** All that serve slots, or shall. */
export function everyShard({ shards, departed, extras }: Fleet): readonly OwnedShard[] {
  return departed.length + extras.length === 0 ? shards : [...shards, ...departed, ...extras];
}

/** The shard that the node is laid out for, be it one that the layout does not have any more. */
export function shardOf({ shards, departed }: Fleet, node: LayoutNode): OwnedShard | undefined {
  const isOwn = ({ shard }: OwnedShard) => shard.id === node.shard;
  return shards.find(isOwn) ?? departed.find(isOwn);
}

/** Whether all agree on who owns the shard. */
export function isAgreed({ owner, doubt }: OwnedShard): boolean {
  return owner !== undefined && doubt === '';
}

/** Whether anybody says that somebody has slots for it; its master votes then. */
export function hasSlots({ slots, missing }: OwnedShard): boolean {
  return slots.length + missing.length > 0;
}

/** The shard that the living node is master of, whatever it is laid out for. */
export function shardOwnedBy(fleet: Fleet, live: LiveNode): OwnedShard | undefined {
  return everyShard(fleet).find(({ owner }) => owner === live);
}

/**
 * Whether the node may be started empty, made anew or stopped, as far as its data goes: another
 * living node is master of the shard and says ok, every slot that the shard has or shall have is a
 * living node's by every view, and none is this node's. The same goes for every other shard whose
 * data the node may hold. A shard that nobody has given a slot yet has nothing to lose.
 */
export function isOwnedElsewhere(fleet: Fleet, node: LayoutNode): boolean {
  return shardOf(fleet, node) !== undefined && findAtStake(fleet, node) === undefined;
}

/** The first shard of which the node may hold what no other living node is known to have. */
export function findAtStake(fleet: Fleet, node: LayoutNode): OwnedShard | undefined {
  const own = shardOf(fleet, node);
  const held = heldSlots(fleet, node);
  const wanted = own?.shard.slots ?? [];
  const isDisputed = (slots: readonly SlotRange[]) => overlapsSlots(fleet.slotMap.disputed, slots);
  return everyShard(fleet).find((owned) => {
    const { owner, slots, missing } = owned;
    const isServing = owner?.node.key !== node.key && owner?.redis.clusterState === 'ok';
    const isSafe = isAgreed(owned) && isServing && !isDisputed(slots);
    if (owned === own) {
      if (isSafe && !isDisputed(wanted)) return false;
      return !owned.isEmpty || holdsOrphans(fleet, node);
    }
    const has = [...slots, ...missing];
    return !isSafe && (overlapsSlots(has, held) || overlapsSlots(has, wanted));
  });
}

/** Keys of a master to which no view gives a slot: nobody can tell what they are. */
function holdsOrphans(fleet: Fleet, { key }: LayoutNode): boolean {
  const redis = fleet.liveByKey.get(key)?.redis;
  return redis?.role === 'master' && redis.keys > 0;
}

/**
 * Whether it is a master that owns nothing by anybody's word and holds keys, in a shard that goes or
 * after slots were moved from it or to it: a person is to look at them.
 */
export function isOrphanage(fleet: Fleet, live: LiveNode): boolean {
  const { node, redis, self } = live;
  if (redis.role !== 'master' || redis.keys === 0 || fleet.strangers.has(live)) return false;
  if ((self?.importing.length ?? 0) + (self?.migrating.length ?? 0) > 0) return false;
  if (ownsByAnyView(fleet.settledViews, live) || moveOn(fleet, [node]) !== undefined) return false;
  const isDrained = shardOf(fleet, node)?.isEmpty === true;
  return isDrained || wasMoveEnd(fleet.attempts, node.key);
}

/** What the node, or the master that it follows, owns by any view. */
function heldSlots(fleet: Fleet, node: LayoutNode): SlotRange[] {
  const id = fleet.liveByKey.get(node.key)?.redis.nodeId;
  return [...fleet.views.values()].flatMap(({ nodes }) =>
    [...nodes.values()].flatMap((entry) => {
      const isNode =
        entry.nodeId === id || fleet.byEndpoint.get(endpointOf(entry))?.key === node.key;
      if (!isNode) return [];
      return [...entry.slots, ...(nodes.get(entry.masterId)?.slots ?? [])];
    }),
  );
}

/** Whether any view says that the node owns slots that the shard has or lacks, or follows a node that does. */
export function mayHold(fleet: Fleet, node: LayoutNode, { slots, missing }: OwnedShard): boolean {
  return overlapsSlots(heldSlots(fleet, node), [...slots, ...missing]);
}

export function isFormer(fleet: Fleet, node: LayoutNode): boolean {
  return !fleet.roles.has(node.key);
}

/** Whether a node of a shard that goes has, or had, slots that are not elsewhere yet. */
export function isStillNeeded(fleet: Fleet, node: LayoutNode): boolean {
  return fleet.departed.some((owned) => owned.shard.id === node.shard && hasSlots(owned));
}

/** Whether the layout wants the node to run. */
export function shallRun(fleet: Fleet, node: LayoutNode): boolean {
  const role = fleet.roles.get(node.key);
  return role !== undefined && role !== 'stopped';
}

/** The agent knows the node, and there is nothing in its directory, or no directory. */
export function isWiped({ process }: NodeObservation): boolean {
  return process.state !== 'absent' && process.marker === undefined && !process.hasData;
}

/** Whether it is known that no process of the node can ever answer to the id that it had. */
export function hasNoIdentity(fleet: Fleet, { host, key }: LayoutNode): boolean {
  const seen = isOnline(fleet, host) ? seenNode(fleet, key) : undefined;
  if (seen === undefined || isUp(seen)) return false;
  const { state, hasData, identityLost } = seen.process;
  const isEmpty = !hasData && (state === 'absent' || state === 'prepared');
  return identityLost || isWiped(seen) || isEmpty;
}

export function isUp({ process: { state } }: NodeObservation): boolean {
  return state === 'running' || state === 'unresponsive' || state === 'starting';
}

/** Whether the node follows this owner and has all that it has. */
export function isInSync({ redis, self }: LiveNode, owner: LiveNode): boolean {
  return (
    redis.role === 'replica' &&
    self?.masterId === owner.redis.nodeId &&
    redis.masterLinkUp === true &&
    !redis.syncInProgress
  );
}

/** Redis' quorum: failovers and handoffs need the votes of a majority of the masters with slots. */
export function hasMajority(fleet: Fleet): boolean {
  const voting = everyShard(fleet).filter(hasSlots);
  const alive = voting.filter(
    ({ owner, members }) => owner !== undefined || members.some(isMaster),
  );
  return alive.length >= Math.floor(voting.length / 2) + 1;
}

function isMaster({ redis, self }: LiveNode): boolean {
  return redis.role === 'master' && (self?.slots.length ?? 0) > 0;
}

/** The holders of views by which the node is a master, its own word included. */
export function isReplicaByAll(fleet: Fleet, live: LiveNode): boolean {
  if (live.redis.role !== 'replica') return false;
  return [viewOf(fleet, live), ...fleet.settledViews.map((view) => view.nodes)].every((nodes) => {
    const entry = nodes.get(live.redis.nodeId);
    return entry === undefined || (entry.slots.length === 0 && entry.masterId !== '');
  });
}
