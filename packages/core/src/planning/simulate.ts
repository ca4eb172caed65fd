/**
 * A model of what steps do to an observation, for previews and for property tests.
 *
 * It knows the effects of our own steps on healthy hosts, and what Redis makes of them once its
 * gossip has settled. Failures, time and traffic are not modelled; real clusters are observed.
 */
import type { Layout, LayoutNode, NodeKey } from '../model/layout.ts';
import type {
  NodeObservation,
  Observation,
  ProcessObservation,
  RedisObservation,
  ViewNode,
} from '../model/observation.ts';
import type {
  AttachReplicaStep,
  BuildReleaseStep,
  ClaimSlotsStep,
  FetchBuildStep,
  HandoffMasterStep,
  MeetNodesStep,
  PrepareNodeStep,
  Step,
} from '../model/step.ts';
import { normalizeRanges } from '../model/slots.ts';
import { clusterViewOf } from '../topology/cluster-view.ts';
import { fingerprintOf } from '../topology/fingerprint.ts';
import { ABSENT, freshRedis, simulatedNodeId } from './fresh-node.ts';
import { planHashOf } from './plan-hash.ts';
import { wantedTiming } from './timing.ts';

/** The observation right after the step was done, before gossip has carried the news. */
export function applyStep(observation: Observation, step: Step, layout: Layout): Observation {
  switch (step.kind) {
    case 'buildRelease':
      return applyBuild(observation, step);
    case 'fetchBuild':
      return installBuild(observation, step, step.buildId);
    case 'prepareNode':
      return changeNode(observation, step.plan.node.key, (node) => prepared(node, step));
    case 'startNode':
      return applyStart(observation, step.node, layout);
    case 'setTiming': {
      const { nodeTimeoutMs, replicaNoFailover } = step;
      const timing = { nodeTimeoutMs, replicaNoFailover };
      return changeRedis(observation, step.node, (redis) => ({ ...redis, ...timing }));
    }
    case 'claimSlots':
      return changeRedis(observation, step.node, (redis) => claimed(redis, step));
    case 'meetNodes':
      return applyMeets(observation, [step], layout);
    case 'attachReplica':
      return changeRedis(observation, step.node, (redis) => attached(redis, step));
    case 'handoffMaster':
      return applyHandoff(observation, step);
    case 'forgetNodes': {
      const gone = new Set(step.nodeIds);
      return changeRedis(observation, step.node, (redis) => ({
        ...redis,
        view: clusterViewOf(redis.view.nodes.filter((node) => !gone.has(node.nodeId))),
      }));
    }
    case 'stopNode':
      return changeProcess(observation, step.node, { state: 'stopped', pid: undefined });
    case 'removeNode':
      return changeNode(observation, step.node, (node) => ({
        ...node,
        process: ABSENT,
        redis: undefined,
      }));
    case 'probeMesh':
    case 'verifyWrite':
      return observation;
  }
}

/** The observation after a whole round of steps; their order among each other does not matter. */
export function applyRound(
  observation: Observation,
  steps: readonly Step[],
  layout: Layout,
): Observation {
  const meets = steps.filter((step) => step.kind === 'meetNodes');
  const others = steps.filter((step) => step.kind !== 'meetNodes');
  const after = others.reduce((seen, step) => applyStep(seen, step, layout), observation);
  return applyMeets(after, meets, layout);
}

function applyBuild(observation: Observation, step: BuildReleaseStep): Observation {
  const release = step.release.name;
  const platform = observation.hosts[step.host]?.facts?.platform ?? '';
  const id = fingerprintOf(`${release} ${platform}`);
  const installed = installBuild(observation, step, id);
  if (observation.sharedBuilds.some((build) => build.id === id)) return installed;
  const sharedBuilds = [...observation.sharedBuilds, { id, release, platform }];
  return { ...installed, sharedBuilds };
}

function installBuild(
  observation: Observation,
  step: BuildReleaseStep | FetchBuildStep,
  id: string,
): Observation {
  const host = observation.hosts[step.host];
  if (host === undefined || host.builds.some((build) => build.id === id)) return observation;
  const builds = [...host.builds, { id, release: step.release.name }];
  return { ...observation, hosts: { ...observation.hosts, [step.host]: { ...host, builds } } };
}

function prepared(node: NodeObservation, { plan }: PrepareNodeStep): NodeObservation {
  const { cluster, clusterId, layoutNumber } = plan;
  const marker = { cluster, clusterId, layoutNumber };
  const state = node.process.state === 'absent' ? 'prepared' : node.process.state;
  return { ...node, process: { ...node.process, state, marker, planHash: planHashOf(plan) } };
}

function applyStart(observation: Observation, key: NodeKey, layout: Layout): Observation {
  const planned = layout.nodes.find((candidate) => candidate.key === key);
  if (planned === undefined) return observation;
  return changeNode(observation, key, (node) => {
    const redis = node.redis ?? remembered(observation, node, { planned, layout });
    return started(node, readdressed(redis ?? newborn(observation, planned), planned), layout);
  });
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

function claimed(redis: RedisObservation, step: ClaimSlotsStep): RedisObservation {
  const configEpoch = step.configEpoch > 0 ? step.configEpoch : redis.configEpoch;
  const changed = changeSelf(redis, (self) => ({
    ...self,
    configEpoch,
    slots: normalizeRanges([...self.slots, ...step.slots]),
  }));
  return { ...changed, configEpoch, currentEpoch: Math.max(redis.currentEpoch, configEpoch) };
}

/**
 * Both sides show a handshake, under made-up ids, until gossip settles. All meetings at once, as
 * those of a thousand nodes are half a million.
 */
function applyMeets(
  observation: Observation,
  steps: readonly MeetNodesStep[],
  layout: Layout,
): Observation {
  const handshakes = new Map(layout.nodes.map((node) => [node.key, handshakeWith(node)]));
  const peers = new Map<NodeKey, ViewNode[]>();
  const add = (key: NodeKey, peer: NodeKey) => {
    const handshake = handshakes.get(peer);
    if (handshake === undefined) return;
    const known = peers.get(key);
    if (known === undefined) peers.set(key, [handshake]);
    else known.push(handshake);
  };
  for (const step of steps) {
    for (const peer of step.peers) {
      add(step.node, peer.node);
      add(peer.node, step.node);
    }
  }
  const nodes = { ...observation.nodes };
  for (const [key, met] of peers) {
    const seen = nodes[key];
    if (seen?.redis !== undefined) {
      nodes[key] = { ...seen, redis: withHandshakes(seen.redis, met) };
    }
  }
  return { ...observation, nodes };
}

function withHandshakes(redis: RedisObservation, peers: readonly ViewNode[]): RedisObservation {
  const known = new Set(redis.view.nodes.map((node) => `${node.address}:${node.port}`));
  const added = peers.filter((peer) => !known.has(`${peer.address}:${peer.port}`));
  return { ...redis, view: clusterViewOf([...redis.view.nodes, ...added]) };
}

function handshakeWith({ address, port, busPort }: LayoutNode): ViewNode {
  return {
    nodeId: simulatedNodeId(`handshake ${address}:${port}`),
    address,
    port,
    busPort,
    flags: ['handshake'],
    masterId: '',
    configEpoch: 0,
    connected: false,
    slots: [],
    migrating: [],
    importing: [],
  };
}

function attached(redis: RedisObservation, step: AttachReplicaStep): RedisObservation {
  const changed = changeSelf(redis, (self) => ({
    ...self,
    flags: ['slave'],
    masterId: step.masterNodeId,
  }));
  return {
    ...changed,
    role: 'replica',
    masterLinkUp: false,
    masterLastIoSeconds: -1,
    syncInProgress: true,
  };
}

/** The replica takes the slots with a new epoch; the old master follows it. */
function applyHandoff(observation: Observation, step: HandoffMasterStep): Observation {
  const master = observation.nodes[step.master]?.redis;
  const replica = observation.nodes[step.node]?.redis;
  if (master === undefined || replica === undefined) return observation;
  const slots = master.view.nodes.find((node) => node.nodeId === master.nodeId)?.slots ?? [];
  const configEpoch = 1 + Math.max(master.currentEpoch, replica.currentEpoch);
  const promoted = changeRedis(observation, step.node, (redis) => ({
    ...changeSelf(redis, (self) => {
      return { ...self, flags: ['master'], masterId: '', slots, configEpoch };
    }),
    role: 'master',
    configEpoch,
    currentEpoch: configEpoch,
    masterLinkUp: undefined,
    masterLastIoSeconds: undefined,
  }));
  return changeRedis(promoted, step.master, (redis) => ({
    ...changeSelf(redis, (self) => {
      return { ...self, flags: ['slave'], masterId: replica.nodeId, slots: [], configEpoch };
    }),
    role: 'replica',
    configEpoch,
    currentEpoch: configEpoch,
    masterLinkUp: false,
    masterLastIoSeconds: -1,
    syncInProgress: true,
  }));
}

function changeSelf(
  redis: RedisObservation,
  change: (self: ViewNode) => ViewNode,
): RedisObservation {
  const nodes = redis.view.nodes.map((node) =>
    node.nodeId === redis.nodeId ? change(node) : node,
  );
  return { ...redis, view: clusterViewOf(nodes) };
}

function changeRedis(
  observation: Observation,
  key: NodeKey,
  change: (redis: RedisObservation) => RedisObservation,
): Observation {
  return changeNode(observation, key, (node) =>
    node.redis === undefined ? node : { ...node, redis: change(node.redis) },
  );
}

function changeProcess(
  observation: Observation,
  key: NodeKey,
  change: Partial<ProcessObservation>,
): Observation {
  return changeNode(observation, key, (node) => ({
    ...node,
    process: { ...node.process, ...change },
  }));
}

function changeNode(
  observation: Observation,
  key: NodeKey,
  change: (node: NodeObservation) => NodeObservation,
): Observation {
  const node = observation.nodes[key];
  if (node === undefined) return observation;
  return { ...observation, nodes: { ...observation.nodes, [key]: change(node) } };
}
