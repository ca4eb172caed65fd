/**
 * What a reconciling plan works on: the nodes of the layout and those of earlier layouts together,
 * who of them belongs to the cluster, and who owns each shard.
 *
 * Redis decides who is master; here is only read off what all of them say. Nothing is decided.
 */
import type { Layout, LayoutNode, LayoutShard, NodeKey } from '../../model/layout.ts';
import type { NodeObservation, Observation, ViewNode } from '../../model/observation.ts';
import { effectiveRoles, type EffectiveRole } from '../../placement/effective-roles.ts';
import { containsSlots, overlapsSlots } from '../shards.ts';
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

/** The doubt of a shard without an owner. */
export const UNOWNED = 'no living node owns its slots';

/** A shard as the living see it. */
export interface OwnedShard {
  readonly shard: LayoutShard;
  /** The living nodes that are laid out for it, those of earlier layouts included. */
  readonly members: readonly LiveNode[];
  /**
   * The one living node that owns slots of it and says that it is master. It may be laid out for
   * another shard: whoever follows a master may be elected in its place.
   */
  readonly owner: LiveNode | undefined;
  /** Why not all views agree that the owner has the whole shard; empty when they do. */
  readonly doubt: string;
  /**
   * The id of a master that all views agree on, and that cannot be spoken to: its agent is away,
   * and its server is not. The shard is served; nothing can be done about it.
   */
  readonly remoteId: string | undefined;
}

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
  readonly shards: readonly OwnedShard[];
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
  const shards = given.layout.shards.map((shard) => ownShard({ shard, settled, settledViews }));
  return {
    ...situation,
    ...input,
    layout: given.layout,
    roles: effectiveRoles(given.layout),
    byEndpoint: indexEndpoints(former, given.layout),
    strangers,
    settledViews,
    shards,
    isImpaired: false,
  };
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

/** Alone in the world a node is no stranger: there is nobody who could know it. */
function findStrangers(situation: Situation): Set<LiveNode> {
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
  return new Set(live.filter((entry) => !known.has(entry.redis.nodeId)));
}

interface ShardCase {
  readonly shard: LayoutShard;
  readonly settled: readonly LiveNode[];
  readonly settledViews: readonly DistinctView[];
}

function ownShard({ shard, settled, settledViews }: ShardCase): OwnedShard {
  const members = settled.filter((live) => live.node.shard === shard.id);
  // Owning by any view, its own included: two claimants mean a failover that not all heard of.
  const claimants = settled.filter((live) =>
    settledViews.some((view) => claims(view.nodes.get(live.redis.nodeId), live.node, shard)),
  );
  const [owner] = claimants;
  if (owner === undefined) {
    const remoteId = findRemote(shard, settledViews);
    return { shard, members, owner, doubt: UNOWNED, remoteId };
  }
  if (claimants.length > 1) {
    const names = claimants.map((live) => live.node.key).join(' and ');
    const doubt = `${names} both own slots of it in some view`;
    return { shard, members, owner: undefined, doubt, remoteId: undefined };
  }
  if (owner.redis.role !== 'master') {
    const doubt = `${owner.node.key} owns its slots in some view and says that it is a replica`;
    return { shard, members, owner: undefined, doubt, remoteId: undefined };
  }
  const doubt = doubtOwner(shard, owner, settledViews);
  return { shard, members, owner, doubt, remoteId: undefined };
}

/** A node of another shard claims this one with nothing but slots of it: it was elected for it. */
function claims(entry: ViewNode | undefined, node: LayoutNode, shard: LayoutShard): boolean {
  if (entry === undefined || entry.slots.length === 0) return false;
  if (node.shard === shard.id) return overlapsSlots(entry.slots, shard.slots);
  return containsSlots(shard.slots, entry.slots);
}

function findRemote(shard: LayoutShard, views: readonly DistinctView[]): string | undefined {
  const [first, ...others] = views.map((view) => {
    const entry = [...view.nodes.values()].find(({ slots }) => containsSlots(slots, shard.slots));
    return entry === undefined || isTroubled(entry.flags) ? undefined : entry.nodeId;
  });
  return others.every((id) => id === first) ? first : undefined;
}

export function ownsByAnyView(views: readonly DistinctView[], live: LiveNode): boolean {
  return views.some((view) => (view.nodes.get(live.redis.nodeId)?.slots.length ?? 0) > 0);
}

const TROUBLED = ['fail', 'fail?', 'noaddr', 'handshake'];

export function isTroubled(flags: readonly string[]): boolean {
  return TROUBLED.some((flag) => flags.includes(flag));
}

function doubtOwner(shard: LayoutShard, owner: LiveNode, views: readonly DistinctView[]): string {
  for (const view of views) {
    const holder = view.holders[0] ?? '';
    const entry = view.nodes.get(owner.redis.nodeId);
    if (entry === undefined) return `${holder} does not know ${owner.node.key}`;
    if (!entry.flags.includes('master') || isTroubled(entry.flags)) {
      return `${holder} sees ${owner.node.key} as ${entry.flags.join(',')}`;
    }
    if (!containsSlots(entry.slots, shard.slots)) {
      return `not all of its slots are ${owner.node.key}'s in the view of ${holder}`;
    }
  }
  return '';
}

/** The shard that the node is laid out for; undefined for a shard that the layout does not have. */
export function shardOf(fleet: Fleet, node: LayoutNode): OwnedShard | undefined {
  return fleet.shards.find(({ shard }) => shard.id === node.shard);
}

/** Whether all agree on who owns the shard. */
export function isAgreed({ owner, doubt }: OwnedShard): boolean {
  return owner !== undefined && doubt === '';
}

/** The shard that the living node is master of, whatever it is laid out for. */
export function shardOwnedBy(fleet: Fleet, live: LiveNode): OwnedShard | undefined {
  return fleet.shards.find(({ owner }) => owner === live);
}

/**
 * Whether the node may be made anew or stopped, as far as its data goes: another living node is
 * master of the shard, says ok, and owns all its slots in every view. The same goes for every other
 * shard whose data the node may hold.
 */
export function isOwnedElsewhere(fleet: Fleet, node: LayoutNode): boolean {
  return shardOf(fleet, node) !== undefined && findAtStake(fleet, node) === undefined;
}

/** The first shard of which the node may hold what no other living node is known to have. */
export function findAtStake(fleet: Fleet, node: LayoutNode): OwnedShard | undefined {
  return fleet.shards.find((owned) => {
    const { owner, shard } = owned;
    const isSafe =
      isAgreed(owned) && owner?.node.key !== node.key && owner?.redis.clusterState === 'ok';
    return !isSafe && (shard.id === node.shard || mayHold(fleet, node, shard));
  });
}

/** Whether any view says that the node owns slots of the shard, or follows a node that does. */
export function mayHold(fleet: Fleet, node: LayoutNode, { slots }: LayoutShard): boolean {
  const id = fleet.liveByKey.get(node.key)?.redis.nodeId;
  const isNode = (entry: ViewNode) =>
    entry.nodeId === id || fleet.byEndpoint.get(endpointOf(entry))?.key === node.key;
  return [...fleet.views.values()].some(({ nodes }) =>
    [...nodes.values()].some((entry) => {
      const owns = entry.slots.length > 0 ? entry : nodes.get(entry.masterId);
      return owns !== undefined && overlapsSlots(owns.slots, slots) && isNode(entry);
    }),
  );
}

export function isFormer(fleet: Fleet, node: LayoutNode): boolean {
  return !fleet.roles.has(node.key);
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
export function hasMajority({ shards }: Fleet): boolean {
  const alive = shards.filter(
    ({ owner, members }) => owner !== undefined || members.some(isMaster),
  );
  return alive.length >= Math.floor(shards.length / 2) + 1;
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
