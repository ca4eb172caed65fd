/**
 * What Redis makes of an observation when it is left alone for a while: handshakes end, gossip
 * spreads, equal epochs are separated, the dead are called failed and their replicas elected,
 * replication catches up. Part of the model of `simulate.ts`; nodes that know each other, however
 * indirectly, end with one view.
 */
import type { NodeKey } from '../model/layout.ts';
import type {
  ClusterView,
  NodeObservation,
  Observation,
  RedisObservation,
  ViewNode,
} from '../model/observation.ts';
import { countSlots, normalizeRanges, SLOT_COUNT } from '../model/slots.ts';
import { clusterViewOf } from '../topology/cluster-view.ts';
import { subtractSlots } from './shards.ts';
import { electReplicas, hasQuorum, resolveRoles, type Voice } from './settle-roles.ts';

/** A node that runs and answers. */
interface Speaker extends Voice {
  readonly seen: NodeObservation;
}

export function settle(observation: Observation): Observation {
  const nodes: Record<NodeKey, NodeObservation> = { ...observation.nodes };
  const groups = groupSpeakers(observation);
  const speakers = groups.flat();
  for (const group of groups) {
    for (const [key, redis] of settleGroup(group, listHeard(group, speakers))) {
      const seen = nodes[key];
      if (seen !== undefined) nodes[key] = { ...seen, redis };
    }
  }
  return { ...observation, nodes };
}

/** The running nodes, grouped by who knows whom. */
function groupSpeakers(observation: Observation): Speaker[][] {
  const speakers = Object.values(observation.nodes).flatMap((seen) => speakerOf(observation, seen));
  const byEndpoint = new Map(speakers.map((speaker) => [endpointOf(speaker.self), speaker]));
  const byView = Map.groupBy(speakers, ({ redis }) => redis.view);
  const known = new Map([...byView.keys()].map((view) => [view, idsOf(view)]));
  const leaders = new Map(speakers.map((speaker) => [speaker, speaker]));
  const leaderOf = (speaker: Speaker): Speaker => {
    let leader = speaker;
    for (let next = leaders.get(leader); next !== undefined && next !== leader;) {
      leader = next;
      next = leaders.get(leader);
    }
    leaders.set(speaker, leader);
    return leader;
  };
  const join = (a: Speaker, b: Speaker) => {
    const [one, other] = [leaderOf(a), leaderOf(b)];
    if (one !== other) leaders.set(other, one);
  };
  for (const [view, holders] of byView) {
    // Those of one view that are in it know each other.
    const [first, ...others] = holders.filter(({ self }) => known.get(view)?.has(self.nodeId));
    if (first !== undefined) for (const other of others) join(first, other);
    for (const entry of view.nodes) {
      const other = byEndpoint.get(endpointOf(entry));
      if (other === undefined) continue;
      const isInvited = entry.flags.includes('handshake');
      const isThere = entry.nodeId === other.self.nodeId;
      if (!isInvited && (!isThere || other.redis.view === view)) continue;
      // Whom it does not know a node does not listen to, unless it is invited to.
      const listened = known.get(other.redis.view);
      for (const holder of holders) {
        if (isInvited || listened?.has(holder.self.nodeId) === true) join(holder, other);
      }
    }
  }
  return [...Map.groupBy(speakers, leaderOf).values()];
}

function idsOf(view: ClusterView): ReadonlySet<string> {
  return new Set(view.nodes.map(({ nodeId }) => nodeId));
}

function speakerOf({ hosts }: Observation, seen: NodeObservation): Speaker[] {
  const { redis, process, host } = seen;
  const self = redis?.view.nodes.find((entry) => entry.nodeId === redis.nodeId);
  if (process.state !== 'running' || redis === undefined || self === undefined) return [];
  // What was last seen of a host that is away is not what is there.
  if (hosts[host] !== undefined && hosts[host].status !== 'online') return [];
  return [{ seen, redis, self }];
}

/** Those outside whom somebody in the group knows: they answer its pings, and know nobody in it. */
function listHeard(group: readonly Speaker[], speakers: readonly Speaker[]): Speaker[] {
  const inside = new Set(group);
  const views = new Set(group.map(({ redis }) => redis.view));
  const known = new Set([...views].flatMap((view) => view.nodes.map((entry) => entry.nodeId)));
  return speakers.filter((speaker) => !inside.has(speaker) && known.has(speaker.self.nodeId));
}

function settleGroup(
  group: readonly Speaker[],
  heard: readonly Speaker[],
): [NodeKey, RedisObservation][] {
  const everyone = [...group, ...heard];
  const remembered = rememberSilent(group, everyone);
  const all = resolveRoles(everyone, remembered);
  // Who is only heard by the group does not hear it: it votes for nobody in it.
  const own = electReplicas(group, all.slice(0, group.length), remembered);
  const selves = [...own, ...all.slice(group.length)];
  const isQuorate = hasQuorum(selves, remembered);
  const silent = remembered.map((entry) => asSilent(entry, selves, isQuorate));
  // Open slots stand on their own node's line alone.
  const entries = [...selves.map(asSeenByOthers), ...silent.map(asSeenByOthers)];
  const view = clusterViewOf(entries);
  const served = countSlots(normalizeRanges(selves.flatMap((self) => self.slots)));
  const common = {
    view,
    slotsAssigned: countSlots(normalizeRanges(view.nodes.flatMap((node) => node.slots))),
    currentEpoch: Math.max(...view.nodes.map((node) => node.configEpoch)),
    knownNodes: view.nodes.length,
    clusterState: served === SLOT_COUNT && isQuorate ? 'ok' : 'fail',
    syncInProgress: false,
  } as const;
  const sourceById = new Map(everyone.map(({ self, redis }) => [self.nodeId, redis]));
  return own.map((self, index) => {
    const { seen, redis } = group[index] as Speaker;
    const source = sourceById.get(self.masterId);
    const connectedReplicas = selves.filter((other) => other.masterId === self.nodeId).length;
    const { configEpoch } = self;
    // Whoever becomes a replica closes all its slots (cluster.c, clusterSetMaster).
    const isOpen = self.masterId === '' && self.migrating.length + self.importing.length > 0;
    const own = isOpen ? withOwnLine(entries, self) : view;
    const settled = { ...redis, ...common, view: own, configEpoch, connectedReplicas };
    return [seen.key, { ...settled, ...replicationOf(self, source) }];
  });
}

function asSeenByOthers(entry: ViewNode): ViewNode {
  if (entry.migrating.length + entry.importing.length === 0) return entry;
  return { ...entry, migrating: [], importing: [] };
}

function withOwnLine(entries: readonly ViewNode[], self: ViewNode): ClusterView {
  return clusterViewOf(entries.map((entry) => (entry.nodeId === self.nodeId ? self : entry)));
}

/** A replica whose master answers has all that it has; one of a dead master keeps what it had. */
function replicationOf(
  self: ViewNode,
  source: RedisObservation | undefined,
): Partial<RedisObservation> {
  if (self.masterId === '') {
    return { role: 'master', masterLinkUp: undefined, masterLastIoSeconds: undefined };
  }
  if (source === undefined) return { role: 'replica', masterLinkUp: false };
  const { keys, replicationOffset } = source;
  return { role: 'replica', masterLinkUp: true, masterLastIoSeconds: 0, keys, replicationOffset };
}

/** Entries of nodes that do not answer, as those remember them who heard most of late. */
function rememberSilent(group: readonly Speaker[], speakers: readonly Speaker[]): ViewNode[] {
  const ids = new Set(speakers.map((speaker) => speaker.self.nodeId));
  const silent = new Map<string, ViewNode>();
  const byAge = [...group].sort((a, b) => a.redis.currentEpoch - b.redis.currentEpoch);
  // The last word on each counts, so a view that many hold is read once, when the last one speaks.
  const views = new Set(byAge.map(({ redis }) => redis.view).toReversed());
  for (const entry of [...views].toReversed().flatMap((view) => view.nodes)) {
    if (!ids.has(entry.nodeId) && !entry.flags.includes('handshake')) {
      silent.set(entry.nodeId, entry);
    }
  }
  return [...silent.values()];
}

/** A majority calls it failed; where another node answers in its place, its address is dropped. */
function asSilent(entry: ViewNode, selves: readonly ViewNode[], isQuorate: boolean): ViewNode {
  const kept = entry.flags.filter((flag) => flag !== 'fail' && flag !== 'fail?');
  const isTaken = selves.some((self) => endpointOf(self) === endpointOf(entry));
  const verdict = isQuorate ? 'fail' : 'fail?';
  const flags = [...new Set([...kept, verdict, ...(isTaken ? ['noaddr'] : [])])];
  const address = isTaken ? { address: '', port: 0, busPort: 0 } : {};
  const taken = normalizeRanges(selves.flatMap((self) => self.slots));
  const slots = subtractSlots(entry.slots, taken);
  return { ...entry, ...address, flags, connected: false, slots };
}

function endpointOf(node: Pick<ViewNode, 'address' | 'port'>): string {
  return `${node.address}:${node.port}`;
}
