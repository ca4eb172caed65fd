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
  MeetNodesStep,
  PrepareNodeStep,
  Step,
} from '../model/step.ts';
import { normalizeRanges } from '../model/slots.ts';
import { clusterViewOf } from '../topology/cluster-view.ts';
import { fingerprintOf } from '../topology/fingerprint.ts';
import { planHashOf } from './plan-hash.ts';
import { wantedTiming } from './timing.ts';

/** Why an absent node looks as it does. */
export const ABSENT: ProcessObservation = {
  state: 'absent',
  pid: undefined,
  startedAtMs: undefined,
  restarts: 0,
  reason: '',
  marker: undefined,
  hasData: false,
  planHash: '',
  buildId: '',
};

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
      return changeNode(observation, step.node, (node) => started(node, layout));
    case 'setTiming': {
      const { nodeTimeoutMs, replicaNoFailover } = step;
      const timing = { nodeTimeoutMs, replicaNoFailover };
      return changeRedis(observation, step.node, (redis) => ({ ...redis, ...timing }));
    }
    case 'claimSlots':
      return changeRedis(observation, step.node, (redis) => claimed(redis, step));
    case 'meetNodes':
      return applyMeet(observation, step, layout);
    case 'attachReplica':
      return changeRedis(observation, step.node, (redis) => attached(redis, step));
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

/** A node as its host would report it if it had no directory. */
export function absentNode(node: LayoutNode, observedAtMs: number): NodeObservation {
  const { key, host, port } = node;
  return { key, host, port, observedAtMs, process: ABSENT, redis: undefined };
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

/** A node that ran before comes back as it was, save for timing, which is never persisted. */
function started(node: NodeObservation, layout: Layout): NodeObservation {
  const planned = layout.nodes.find((candidate) => candidate.key === node.key);
  if (planned === undefined) return node;
  const redis = { ...(node.redis ?? freshRedis(planned)), ...wantedTiming(layout) };
  const process = { ...node.process, state: 'running' as const, pid: 1, hasData: true };
  return { ...node, process, redis };
}

/** What an empty node says of itself right after its first start. */
export function freshRedis(node: LayoutNode): RedisObservation {
  const nodeId = simulatedNodeId(node.key);
  const { address, port, busPort } = node;
  const self: ViewNode = {
    nodeId,
    address,
    port,
    busPort,
    flags: ['master'],
    masterId: '',
    configEpoch: 0,
    connected: true,
    slots: [],
    migrating: [],
    importing: [],
  };
  return {
    nodeId,
    version: '7.0.15',
    role: 'master',
    clusterState: 'fail',
    slotsAssigned: 0,
    knownNodes: 1,
    currentEpoch: 0,
    configEpoch: 0,
    replicationOffset: 0,
    masterLinkUp: undefined,
    masterLastIoSeconds: undefined,
    syncInProgress: false,
    loading: false,
    connectedReplicas: 0,
    connectedClients: 1,
    usedMemoryBytes: 2_000_000,
    maxmemoryBytes: 0,
    keys: 0,
    uptimeSeconds: 1,
    nodeTimeoutMs: 5000,
    replicaNoFailover: false,
    aofEnabled: true,
    persistenceOk: true,
    nofileSoft: 65_535,
    view: clusterViewOf([self]),
  };
}

/** 40 hexadecimal digits, as Redis' own, but the same for the same key. */
export function simulatedNodeId(key: NodeKey): string {
  return ['a', 'b', 'c']
    .map((salt) => fingerprintOf(salt + key))
    .join('')
    .slice(0, 40);
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

/** Both sides show a handshake, under made-up ids, until gossip settles. */
function applyMeet(observation: Observation, step: MeetNodesStep, layout: Layout): Observation {
  const meeter = layout.nodes.find((node) => node.key === step.node);
  if (meeter === undefined) return observation;
  return step.peers.reduce((seen, peer) => {
    const met = changeRedis(seen, step.node, (redis) => withHandshake(redis, peer));
    return changeRedis(met, peer.node, (redis) => withHandshake(redis, meeter));
  }, observation);
}

function withHandshake(
  redis: RedisObservation,
  peer: Pick<LayoutNode, 'address' | 'port' | 'busPort'>,
): RedisObservation {
  const { address, port, busPort } = peer;
  const known = redis.view.nodes.some((node) => node.address === address && node.port === port);
  if (known) return redis;
  const handshake: ViewNode = {
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
  return { ...redis, view: clusterViewOf([...redis.view.nodes, handshake]) };
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
