/**
 * What Redis makes of an observation when it is left alone for a while: handshakes end, gossip
 * spreads, equal epochs are separated, replication catches up. Part of the model of
 * `simulate.ts`; nodes that know each other, however indirectly, end with one view.
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

/** A node that runs and answers. */
interface Speaker {
  readonly seen: NodeObservation;
  readonly redis: RedisObservation;
  readonly self: ViewNode;
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
  const speakers = Object.values(observation.nodes).flatMap(speakerOf);
  const byEndpoint = new Map(speakers.map((speaker) => [endpointOf(speaker.self), speaker]));
  for (const speaker of speakers) groups.set(speaker.seen.key, [speaker]);
  for (const speaker of speakers) {
    for (const entry of speaker.redis.view.nodes) {
      const other = byEndpoint.get(endpointOf(entry));
      if (other !== undefined) joinGroups(groups, speaker, other);
    }
  }
  return [...new Set(groups.values())];
}

function speakerOf(seen: NodeObservation): Speaker[] {
  const { redis, process } = seen;
  const self = redis?.view.nodes.find((entry) => entry.nodeId === redis.nodeId);
  if (process.state !== 'running' || redis === undefined || self === undefined) return [];
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
  const selves = separateEpochs(group);
  const ids = new Set(selves.map((self) => self.nodeId));
  // Entries of nodes that do not answer stay as somebody remembers them.
  const silent = new Map<string, ViewNode>();
  for (const entry of group.flatMap((speaker) => speaker.redis.view.nodes)) {
    if (!ids.has(entry.nodeId) && !entry.flags.includes('handshake')) {
      silent.set(entry.nodeId, entry);
    }
  }
  const view = clusterViewOf([...selves, ...silent.values()]);
  const slotsAssigned = countSlots(normalizeRanges(view.nodes.flatMap((node) => node.slots)));
  const currentEpoch = Math.max(...view.nodes.map((node) => node.configEpoch));
  return group.map(({ seen, redis }) => {
    const self = view.nodes.find((node) => node.nodeId === redis.nodeId);
    const isReplica = redis.role === 'replica';
    return [
      seen.key,
      {
        ...redis,
        view,
        slotsAssigned,
        currentEpoch,
        knownNodes: view.nodes.length,
        clusterState: slotsAssigned === SLOT_COUNT ? 'ok' : 'fail',
        configEpoch: self?.configEpoch ?? redis.configEpoch,
        masterLinkUp: isReplica ? true : undefined,
        masterLastIoSeconds: isReplica ? 0 : undefined,
        syncInProgress: false,
        connectedReplicas: selves.filter((other) => other.masterId === redis.nodeId).length,
      },
    ];
  });
}

/** Masters of equal epoch: all but one take the next free ones. */
function separateEpochs(group: readonly Speaker[]): ViewNode[] {
  const taken = new Set<number>();
  let highest = Math.max(...group.map((speaker) => speaker.self.configEpoch));
  return group.map(({ self }) => {
    if (self.masterId !== '') return self;
    if (!taken.has(self.configEpoch)) {
      taken.add(self.configEpoch);
      return self;
    }
    highest += 1;
    taken.add(highest);
    return { ...self, configEpoch: highest };
  });
}

function endpointOf(node: Pick<ViewNode, 'address' | 'port'>): string {
  return `${node.address}:${node.port}`;
}
