/**
 * What Redis makes of an observation when it is left alone for a while: handshakes end, gossip
 * spreads, equal epochs are separated, the dead are called failed and their replicas elected,
 * replication catches up. Part of the model of `simulate.ts`; nodes that know each other, however
 * indirectly, end with one view.
 */
import type { NodeKey } from '../model/layout.ts';
import type {
  NodeObservation,
  Observation,
  RedisObservation,
  ViewNode,
} from '../model/observation.ts';
import { countSlots, normalizeRanges, SLOT_COUNT } from '../model/slots.ts';
import { clusterViewOf } from '../topology/cluster-view.ts';
import { electReplicas, hasQuorum, resolveRoles, type Voice } from './settle-roles.ts';

/** A node that runs and answers. */
interface Speaker extends Voice {
  readonly seen: NodeObservation;
}

export function settle(observation: Observation): Observation {
  const nodes: Record<NodeKey, NodeObservation> = { ...observation.nodes };
  for (const group of groupSpeakers(observation)) {
    for (const [key, redis] of settleGroup(group)) {
      const seen = nodes[key];
      if (seen !== undefined) nodes[key] = { ...seen, redis };
    }
  }
  return { ...observation, nodes };
}

/** The running nodes, grouped by who knows whom. */
function groupSpeakers(observation: Observation): Speaker[][] {
  const groups = new Map<string, Speaker[]>();
  const speakers = Object.values(observation.nodes).flatMap((seen) => speakerOf(observation, seen));
  const byEndpoint = new Map(speakers.map((speaker) => [endpointOf(speaker.self), speaker]));
  const known = new Map(
    speakers.map((speaker) => [
      speaker.self.nodeId,
      new Set(speaker.redis.view.nodes.map((entry) => entry.nodeId)),
    ]),
  );
  for (const speaker of speakers) groups.set(speaker.seen.key, [speaker]);
  for (const speaker of speakers) {
    for (const entry of speaker.redis.view.nodes) {
      const other = byEndpoint.get(endpointOf(entry));
      if (other === undefined) continue;
      // Whom it does not know a node does not listen to, unless it is invited to.
      const isInvited = entry.flags.includes('handshake');
      const isMutual =
        entry.nodeId === other.self.nodeId &&
        known.get(other.self.nodeId)?.has(speaker.self.nodeId) === true;
      if (isInvited || isMutual) joinGroups(groups, speaker, other);
    }
  }
  return [...new Set(groups.values())];
}

function speakerOf({ hosts }: Observation, seen: NodeObservation): Speaker[] {
  const { redis, process, host } = seen;
  const self = redis?.view.nodes.find((entry) => entry.nodeId === redis.nodeId);
  if (process.state !== 'running' || redis === undefined || self === undefined) return [];
  // What was last seen of a host that is away is not what is there.
  if (hosts[host] !== undefined && hosts[host].status !== 'online') return [];
  return [{ seen, redis, self }];
}

function joinGroups(groups: Map<string, Speaker[]>, a: Speaker, b: Speaker): void {
  const left = groups.get(a.seen.key) ?? [];
  const right = groups.get(b.seen.key) ?? [];
  if (left === right) return;
  const joined = [...left, ...right];
  for (const speaker of joined) groups.set(speaker.seen.key, joined);
}

function settleGroup(group: readonly Speaker[]): [NodeKey, RedisObservation][] {
  const remembered = rememberSilent(group);
  const selves = electReplicas(group, resolveRoles(group), remembered);
  const isQuorate = hasQuorum(selves, remembered);
  const owned = new Set(selves.flatMap((self) => (self.slots.length > 0 ? [self.nodeId] : [])));
  const silent = remembered.map((entry) => asSilent(entry, { selves, isQuorate, owned }));
  const view = clusterViewOf([...selves, ...silent]);
  const byId = new Map(selves.map((self, index) => [self.nodeId, { self, at: index }]));
  const slotsAssigned = countSlots(normalizeRanges(view.nodes.flatMap((node) => node.slots)));
  const served = countSlots(normalizeRanges(selves.flatMap((self) => self.slots)));
  const currentEpoch = Math.max(...view.nodes.map((node) => node.configEpoch));
  return group.map(({ seen, redis }) => {
    const self = byId.get(redis.nodeId)?.self;
    const isReplica = self !== undefined && self.masterId !== '';
    const master = byId.get(self?.masterId ?? '');
    const source = master === undefined ? undefined : group[master.at]?.redis;
    return [
      seen.key,
      {
        ...redis,
        view,
        slotsAssigned,
        currentEpoch,
        role: isReplica ? 'replica' : 'master',
        knownNodes: view.nodes.length,
        clusterState: served === SLOT_COUNT && isQuorate ? 'ok' : 'fail',
        configEpoch: self?.configEpoch ?? redis.configEpoch,
        masterLinkUp: isReplica ? source !== undefined : undefined,
        masterLastIoSeconds: isReplica ? 0 : undefined,
        syncInProgress: false,
        keys: source?.keys ?? redis.keys,
        replicationOffset: source?.replicationOffset ?? redis.replicationOffset,
        connectedReplicas: selves.filter((other) => other.masterId === redis.nodeId).length,
      },
    ];
  });
}

/** Entries of nodes that do not answer, as those remember them who heard most of late. */
function rememberSilent(group: readonly Speaker[]): ViewNode[] {
  const ids = new Set(group.map((speaker) => speaker.self.nodeId));
  const silent = new Map<string, ViewNode>();
  const byAge = [...group].sort((a, b) => a.redis.currentEpoch - b.redis.currentEpoch);
  for (const entry of byAge.flatMap((speaker) => speaker.redis.view.nodes)) {
    if (!ids.has(entry.nodeId) && !entry.flags.includes('handshake')) {
      silent.set(entry.nodeId, entry);
    }
  }
  return [...silent.values()];
}

interface Company {
  readonly selves: readonly ViewNode[];
  readonly isQuorate: boolean;
  readonly owned: ReadonlySet<string>;
}

/** A majority calls it failed; where another node answers in its place, its address is dropped. */
function asSilent(entry: ViewNode, { selves, isQuorate }: Company): ViewNode {
  const kept = entry.flags.filter((flag) => flag !== 'fail' && flag !== 'fail?');
  const taken = selves.some((self) => endpointOf(self) === endpointOf(entry));
  const flags = [...new Set([...kept, isQuorate ? 'fail' : 'fail?', ...(taken ? ['noaddr'] : [])])];
  const address = taken ? { address: '', port: 0, busPort: 0 } : {};
  const free = selves.flatMap((self) => self.slots);
  const slots = countSlots(normalizeRanges([...free, ...entry.slots])) === countSlots(free);
  return { ...entry, ...address, flags, connected: false, slots: slots ? [] : entry.slots };
}

function endpointOf(node: Pick<ViewNode, 'address' | 'port'>): string {
  return `${node.address}:${node.port}`;
}
