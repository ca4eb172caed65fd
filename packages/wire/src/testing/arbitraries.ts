/**
 * Random values of every core type that travels, as wide as the types and the documented bounds allow.
 *
 * Each record is typed by the core type, so a field added there does not compile here until it is generated too.
 */
import { RedroverError, nodeKey } from '@redrover/core';
import type * as core from '@redrover/core';
import * as fc from 'fast-check';
import { GRPC_STATUS_BY_CODE } from '../grpc/status.ts';
import {
  bool,
  type Fields,
  list,
  maybe,
  name,
  port,
  record,
  sha256,
  slot,
  slotRange,
  text,
  texts,
  timeMs,
  uint32,
  uint64,
  viewPort,
  word,
} from './field-arbitraries.ts';

import { moveEnd, moveEngine, moveOptions, moveReport, orphanKeys } from './move-arbitraries.ts';

export { slotRange } from './field-arbitraries.ts';

const errorCode = fc.constantFrom(...(Object.keys(GRPC_STATUS_BY_CODE) as core.ErrorCode[]));
const nodeRole = fc.constantFrom<core.NodeRole[]>('master', 'replica');
const product = fc.constantFrom<core.Product[]>('redis', 'valkey');

export const hostStatus = fc.constantFrom<core.HostStatus[]>('online', 'suspect', 'lost');

export const error: fc.Arbitrary<RedroverError> = fc
  .tuple(errorCode, text, texts)
  .map(([code, message, context]) => new RedroverError(code, message, { context }));

export const hostFacts = record<core.HostFacts>({
  hostname: text,
  cores: uint32,
  memoryBytes: uint64,
  diskTotalBytes: uint64,
  diskFreeBytes: uint64,
  kernel: text,
  os: text,
  arch: text,
  libc: text,
  compiler: text,
  addresses: list(text),
  platform: text,
  root: bool,
  agentVersion: text,
  rootDirectory: text,
});

export const tuningItem = record<core.TuningItem>({
  name: word,
  found: text,
  wanted: text,
  source: text,
  state: fc.constantFrom('ok', 'differs', 'not-persisted', 'needs-root', 'read-only', 'advice'),
  before: maybe(text),
  hint: text,
});

export const releaseSource: fc.Arbitrary<core.ReleaseSource> = fc.oneof(
  fc.record({ kind: fc.constant('https' as const), url: word }),
  fc.record({ kind: fc.constant('upload' as const), fileName: word }),
  fc.record({ kind: fc.constant('apt' as const), package: name, suite: text }),
);

export const release = record<core.Release>({
  name,
  product,
  version: name,
  source: releaseSource,
  sha256,
});

export const build = record<core.Build>({
  id: name,
  release: name,
  platform: name,
  provenance: record<core.BuildProvenance>({
    sourceSha256: sha256,
    sourceLocation: text,
    compiler: text,
    flags: list(text),
    builtOnHost: text,
    builtAtMs: timeMs,
    durationMs: uint64,
    binaries: fc.dictionary(name, sha256, { maxKeys: 4, noNullPrototype: true }),
  }),
});

export const installedBuild = record<core.InstalledBuild>({ id: name, release: name });
export const sharedBuild = record<core.SharedBuild>({ id: name, release: name, platform: name });

export const clusterSpec = record<core.ClusterSpec>({
  name: text,
  release: text,
  shards: uint32,
  replicas: uint32,
  placement: record<core.PlacementSpec>({
    hosts: list(text),
    basePort: port,
    zoneLabel: text,
    allowSameHost: bool,
    allowWeakQuorum: bool,
  }),
  nodes: list(
    record<core.PinnedNode>({ host: word, port, shard: maybe(uint32), role: maybe(nodeRole) }),
  ),
  maxmemoryBytes: maybe(uint64),
  nodeTimeoutMs: uint32,
  repair: fc.constantFrom('manual', 'auto'),
  repairQuietMs: uint32,
  config: texts,
});

/** Adds the key that host and port make. */
function keyed<T extends { readonly host: string; readonly port: number }>(
  node: fc.Arbitrary<T>,
): fc.Arbitrary<T & { readonly key: string }> {
  return node.map((fields) => ({ ...fields, key: nodeKey(fields.host, fields.port) }));
}

export const layoutNode: fc.Arbitrary<core.LayoutNode> = keyed(
  record<Omit<core.LayoutNode, 'key'>>({
    host: name,
    address: word,
    port,
    busPort: port,
    shard: word,
    preferredRole: nodeRole,
    configEpoch: uint32,
  }),
);

export const layout = record<core.Layout>({
  cluster: name,
  clusterId: word,
  number: uint32,
  release: name,
  shards: list(record<core.LayoutShard>({ id: word, slots: list(slotRange) })),
  nodes: list(layoutNode),
  maxmemoryBytes: maybe(uint64),
  nodeTimeoutMs: uint32,
  config: texts,
  zoneLabel: text,
  allowSameHost: bool,
  allowWeakQuorum: bool,
  drainedHosts: list(name),
});

export const finding = record<core.Finding>({
  rule: word,
  severity: fc.constantFrom<core.Severity[]>('info', 'warning', 'critical'),
  subject: text,
  message: text,
  evidence: list(text),
  remedy: text,
});

const openSlot = record<core.OpenSlot>({ slot, nodeId: word });

/** With at least one node, as every view holds its own; ids are distinct. */
export const clusterView = record<core.ClusterView>({
  hash: word,
  nodes: fc.uniqueArray(
    record<core.ViewNode>({
      nodeId: word,
      address: text,
      port: viewPort,
      busPort: viewPort,
      flags: list(text),
      masterId: text,
      configEpoch: uint64,
      connected: bool,
      slots: list(slotRange),
      migrating: list(openSlot),
      importing: list(openSlot),
    }),
    { minLength: 1, maxLength: 4, selector: (node) => node.nodeId },
  ),
});

export const processObservation = record<core.ProcessObservation>({
  state: fc.constantFrom<core.ProcessState[]>(
    'absent',
    'prepared',
    'stopped',
    'starting',
    'running',
    'unresponsive',
    'backoff',
    'crash-loop',
    'held',
  ),
  pid: maybe(uint32),
  startedAtMs: maybe(timeMs),
  restarts: uint32,
  reason: text,
  marker: maybe(record<core.NodeMarker>({ cluster: text, clusterId: text, layoutNumber: uint32 })),
  hasData: bool,
  identityLost: bool,
  planHash: text,
  buildId: text,
});

export const redisObservation = record<core.RedisObservation>({
  nodeId: word,
  version: text,
  role: nodeRole,
  clusterState: fc.constantFrom('ok', 'fail'),
  slotsAssigned: uint32,
  knownNodes: uint32,
  currentEpoch: uint64,
  configEpoch: uint64,
  replicationOffset: uint64,
  masterLinkUp: maybe(bool),
  masterLastIoSeconds: maybe(fc.integer()),
  syncInProgress: bool,
  loading: bool,
  connectedReplicas: uint32,
  connectedClients: uint32,
  usedMemoryBytes: uint64,
  maxmemoryBytes: uint64,
  keys: uint64,
  uptimeSeconds: uint64,
  nodeTimeoutMs: uint32,
  replicaNoFailover: bool,
  aofEnabled: bool,
  persistenceOk: bool,
  nofileSoft: uint64,
  moveEngines: list(moveEngine),
  openSlotsQuietMs: uint64,
  orphanKeys: maybe(orphanKeys),
  view: clusterView,
});

export const nodeObservation: fc.Arbitrary<core.NodeObservation> = keyed(
  record<Omit<core.NodeObservation, 'key'>>({
    host: name,
    port,
    observedAtMs: timeMs,
    process: processObservation,
    redis: maybe(redisObservation),
  }),
);

export const operation = record<core.Operation>({
  id: word,
  cluster: name,
  kind: fc.constantFrom<core.OperationKind[]>('create', 'change', 'repair', 'remove'),
  layoutNumber: uint32,
  state: fc.constantFrom<core.OperationState[]>(
    'running',
    'paused',
    'done',
    'failed',
    'cancelled',
    'needs-decision',
  ),
  createdAtMs: timeMs,
  endedAtMs: maybe(timeMs),
  message: text,
  purge: bool,
  reason: text,
  automatic: bool,
  move: moveOptions,
});

export const attempt = record<core.Attempt>({
  stepKey: word,
  startedAtMs: timeMs,
  endedAtMs: maybe(timeMs),
  outcome: fc.constantFrom('running', 'ok', 'failed'),
  errorCode: maybe(errorCode),
  message: text,
  move: maybe(moveReport),
});

export const waiting = record<core.Waiting>({ subject: text, reason: text });

export const nodePlan = record<core.NodePlan>({
  cluster: name,
  clusterId: word,
  layoutNumber: uint32,
  node: layoutNode,
  release: name,
  product,
  version: name,
  maxmemoryBytes: maybe(uint64),
  nodeTimeoutMs: uint32,
  config: texts,
});

const probeTarget = record<core.ProbeTarget>({ node: word, address: word, port, busPort: port });

/** One arbitrary per kind: a new kind does not compile until it is here. */
const stepByKind: {
  [Kind in core.StepKind]: Fields<Omit<Extract<core.Step, { kind: Kind }>, 'kind'>>;
} = {
  buildRelease: { host: name, release },
  fetchBuild: { host: name, release, buildId: name },
  prepareNode: { host: name, plan: nodePlan },
  startNode: { host: name, node: word },
  probeMesh: { host: name, targets: list(probeTarget) },
  setTiming: { host: name, node: word, nodeTimeoutMs: uint32, replicaNoFailover: bool },
  claimSlots: { host: name, node: word, configEpoch: uint32, slots: list(slotRange) },
  meetNodes: { host: name, node: word, peers: list(probeTarget) },
  attachReplica: { host: name, node: word, master: word, masterNodeId: word },
  handoffMaster: { host: name, node: word, master: word, masterNodeId: word },
  forgetNodes: { host: name, node: word, nodeIds: list(word) },
  moveSlots: {
    host: name,
    node: word,
    engine: moveEngine,
    source: moveEnd,
    target: moveEnd,
    slots: list(slotRange),
    sourceReplicas: list(moveEnd),
    targetReplicas: list(moveEnd),
    otherMasters: list(moveEnd),
    nodeTimeoutMs: uint32,
    options: moveOptions,
  },
  stopMoves: { host: name },
  verifyWrite: { host: name, node: word },
  stopNode: { host: name, node: word },
  removeNode: { host: name, node: word, purge: bool },
};

export const stepKinds = Object.keys(stepByKind) as core.StepKind[];

export function stepOfKind(kind: core.StepKind): fc.Arbitrary<core.Step> {
  const fields: Record<string, fc.Arbitrary<unknown>> = stepByKind[kind];
  return fc.record({ ...fields, kind: fc.constant(kind) }) as unknown as fc.Arbitrary<core.Step>;
}

export const step: fc.Arbitrary<core.Step> = fc.oneof(...stepKinds.map(stepOfKind));

export const fence = record<core.Fence>({
  incarnation: uint64,
  cluster: text,
  operationId: text,
  layoutNumber: uint32,
  expiresAtMs: timeMs,
  preconditions: record<core.StepPreconditions>({
    nodeId: text,
    role: fc.constantFrom('master', 'replica', ''),
  }),
});
