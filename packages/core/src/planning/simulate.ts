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
import { ABSENT, simulatedNodeId } from './fresh-node.ts';
import { planHashOf } from './plan-hash.ts';
import { applyMove } from './simulate-moves.ts';
import { applyStart, changeNode, changeSelf } from './simulate-start.ts';

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
        view: clusterViewOf(forgetAll(redis.view.nodes, gone)),
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
    case 'moveSlots':
      return applyMove(observation, step);
    case 'stopMoves':
      return withoutMovers(observation, step.host);
    case 'probeMesh':
    case 'verifyWrite':
      return observation;
  }
}

/** Slots that are open towards one who is forgotten are closed (cluster.c, clusterDelNode). */
function forgetAll(nodes: readonly ViewNode[], gone: ReadonlySet<string>): ViewNode[] {
  const isKept = ({ nodeId }: { readonly nodeId: string }) => !gone.has(nodeId);
  return nodes.filter(isKept).map((node) => {
    const { migrating, importing } = node;
    if (migrating.length + importing.length === 0) return node;
    return { ...node, migrating: migrating.filter(isKept), importing: importing.filter(isKept) };
  });
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

function withoutMovers(observation: Observation, name: string): Observation {
  const host = observation.hosts[name];
  if (host === undefined) return observation;
  return { ...observation, hosts: { ...observation.hosts, [name]: { ...host, movers: [] } } };
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
  // Those of earlier layouts are met as well.
  for (const peer of steps.flatMap(({ peers }) => peers)) {
    if (!handshakes.has(peer.node)) handshakes.set(peer.node, handshakeWith(peer));
  }
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
  // One that failed is no obstacle: another node may answer there now.
  const reached = redis.view.nodes.filter(({ flags }) => !flags.includes('fail'));
  const known = new Set(reached.map((node) => `${node.address}:${node.port}`));
  const added = peers.filter((peer) => !known.has(`${peer.address}:${peer.port}`));
  return { ...redis, view: clusterViewOf([...redis.view.nodes, ...added]) };
}

function handshakeWith({
  address,
  port,
  busPort,
}: Pick<LayoutNode, 'address' | 'port' | 'busPort'>): ViewNode {
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
