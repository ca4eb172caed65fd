/**
 * What a started node says first: an empty one, or one that comes back with what it had. Part of
 * the model of `simulate.ts`.
 */
import type { Layout, LayoutNode, NodeKey } from '../model/layout.ts';
import type {
  NodeObservation,
  Observation,
  RedisObservation,
  ViewNode,
} from '../model/observation.ts';
import { clusterViewOf } from '../topology/cluster-view.ts';
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
    // A master that was replaced has not heard of it: it comes back with its slots and old epoch.
    const shard = layout.shards.find(({ id }) => id === planned.shard);
    const slots = isReplica ? [] : (shard?.slots ?? []);
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
