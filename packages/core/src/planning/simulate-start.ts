/**
 * What a started node says first: an empty one, or one that comes back with what it had. Part of
 * the model of `simulate.ts`.
 */
import type { Layout, LayoutNode, NodeKey } from '../model/layout.ts';
import type {
  ClusterView,
  NodeObservation,
  Observation,
  RedisObservation,
  ViewNode,
} from '../model/observation.ts';
import type { SlotRange } from '../model/slots.ts';
import { clusterViewOf } from '../topology/cluster-view.ts';
import { containsSlots } from './shards.ts';
import { freshRedis } from './fresh-node.ts';
import { wantedTiming } from './timing.ts';

export function applyStart(observation: Observation, key: NodeKey, layout: Layout): Observation {
  const planned = layout.nodes.find((candidate) => candidate.key === key);
  if (planned === undefined) return observation;
  return changeNode(observation, key, (node) => {
    const redis = node.redis ?? remembered(observation, node, { planned, layout });
    const said = readdressed(redis ?? newborn(observation, planned), planned);
    return started(node, withEngines(observation, said), layout);
  });
}

/** All nodes of a cluster run one release: a new one can do what those that run can. */
function withEngines({ nodes }: Observation, redis: RedisObservation): RedisObservation {
  const peer = Object.values(nodes).find(
    (node) => node.process.state === 'running' && node.redis !== undefined,
  );
  return { ...redis, moveEngines: peer?.redis?.moveEngines ?? redis.moveEngines };
}

/** A node that ran before comes back as it was, save for timing, which is never persisted. */
function started(node: NodeObservation, redis: RedisObservation, layout: Layout): NodeObservation {
  const process = { ...node.process, state: 'running' as const, pid: 1, hasData: true };
  return { ...node, process, redis: { ...redis, ...wantedTiming(layout) } };
}

/** What a stopped node with data will say, by what the others remember of it. */
function remembered(
  observation: Observation,
  { process }: NodeObservation,
  { planned, layout }: { readonly planned: LayoutNode; readonly layout: Layout },
): RedisObservation | undefined {
  if (!process.hasData || process.identityLost) return undefined;
  const { address, port } = planned;
  for (const other of Object.values(observation.nodes)) {
    if (other.process.state !== 'running' || other.redis === undefined) continue;
    const { view } = other.redis;
    const self = view.nodes.find((entry) => entry.address === address && entry.port === port);
    if (self === undefined || self.flags.includes('handshake')) continue;
    const { nodeId, masterId, configEpoch } = self;
    const isReplica = masterId !== '';
    const fresh = freshRedis(planned);
    const slots = isReplica ? [] : rememberedSlots(view, self, { planned, layout });
    return {
      ...changeSelf({ ...fresh, nodeId, view }, (entry) => ({
        ...entry,
        flags: [isReplica ? 'slave' : 'master'],
        connected: true,
        slots,
      })),
      configEpoch,
      currentEpoch: other.redis.currentEpoch,
      role: isReplica ? 'replica' : 'master',
    };
  }
  return undefined;
}

/**
 * What the others still give it. A master that was replaced has not heard of that: it comes back
 * with what its successor has by now, and its own old epoch.
 */
function rememberedSlots(
  view: ClusterView,
  self: ViewNode,
  { planned, layout }: { readonly planned: LayoutNode; readonly layout: Layout },
): readonly SlotRange[] {
  if (self.slots.length > 0) return self.slots;
  const members = layout.nodes.filter(({ shard }) => shard === planned.shard);
  const successor = view.nodes.find(
    ({ address, port, slots }) =>
      slots.length > 0 && members.some((node) => node.address === address && node.port === port),
  );
  if (successor !== undefined) return successor.slots;
  // A replica of another shard may have been elected in its place.
  const laidOut = layout.shards.find(({ id }) => id === planned.shard)?.slots ?? [];
  return view.nodes.some(({ slots }) => containsSlots(slots, laidOut)) ? laidOut : [];
}

/** An empty node has an id that nobody has seen yet. */
function newborn({ nodes }: Observation, planned: LayoutNode): RedisObservation {
  const known = new Set(
    Object.values(nodes).flatMap(({ redis }) => redis?.view.nodes.map((node) => node.nodeId) ?? []),
  );
  for (let life = 1; ; life += 1) {
    const redis = freshRedis(planned, life);
    if (!known.has(redis.nodeId)) return redis;
  }
}

/** It announces the address that its config has now. */
function readdressed(redis: RedisObservation, planned: LayoutNode): RedisObservation {
  const { address, port, busPort } = planned;
  return changeSelf(redis, (self) => ({ ...self, address, port, busPort }));
}

export function changeSelf(
  redis: RedisObservation,
  change: (self: ViewNode) => ViewNode,
): RedisObservation {
  const nodes = redis.view.nodes.map((node) =>
    node.nodeId === redis.nodeId ? change(node) : node,
  );
  return { ...redis, view: clusterViewOf(nodes) };
}

export function changeNode(
  observation: Observation,
  key: NodeKey,
  change: (node: NodeObservation) => NodeObservation,
): Observation {
  const node = observation.nodes[key];
  if (node === undefined) return observation;
  return { ...observation, nodes: { ...observation.nodes, [key]: change(node) } };
}
