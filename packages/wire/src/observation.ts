/** What agents have seen of processes and of `redis-server`s, between proto and core. Views are in `view.ts`. */
import { create } from '@bufbuild/protobuf';
import type * as core from '@redrover/core';
import * as proto from '@redrover/proto';
import { nodeKeyFromProto, nodeRoleFromProto, nodeRoleToProto } from './cluster.ts';
import {
  enumMapping,
  listFromProto,
  nameFromProto,
  nonEmptyFromProto,
  numberFromProto,
  numberToProto,
  optional,
  portFromProto,
  requiredField,
  timestampFromProto,
  timestampToProto,
} from './fields.ts';
import { moveEngineFromProto, moveEngineToProto } from './migration.ts';
import { orphanKeysFromProto, orphanKeysToProto } from './orphan-keys.ts';
import {
  clusterViewFromProto,
  clusterViewToProto,
  disconnectedIds,
  withDisconnected,
} from './view.ts';

const processState = enumMapping<core.ProcessState, proto.ProcessState>({
  absent: proto.ProcessState.ABSENT,
  prepared: proto.ProcessState.PREPARED,
  stopped: proto.ProcessState.STOPPED,
  starting: proto.ProcessState.STARTING,
  running: proto.ProcessState.RUNNING,
  unresponsive: proto.ProcessState.UNRESPONSIVE,
  backoff: proto.ProcessState.BACKOFF,
  'crash-loop': proto.ProcessState.CRASH_LOOP,
  held: proto.ProcessState.HELD,
});

/** `full`: in answers to the controller. `hash`: in heartbeats, the receiver asks for a view that it does not know. */
export interface ViewForm {
  readonly view: 'full' | 'hash';
}

/** Finds a view that travelled before, by its hash. */
export type ViewLookup = (hash: string) => core.ClusterView | undefined;

export interface ObservationsFromProto {
  readonly observations: readonly core.NodeObservation[];
  /** Hashes that travelled alone and that the lookup does not know, each once: to be asked for with `ViewsWanted`. */
  readonly missingViews: readonly string[];
}

/**
 * Several nodes at once, as heartbeats and results carry them. A node whose view is missing has one without nodes
 * meanwhile: a real view always holds its own node, so that `nodes: []` means "not known yet".
 */
export function nodeObservationsFromProto(
  messages: readonly proto.NodeObservation[],
  viewOf: ViewLookup,
  path = 'nodes',
): ObservationsFromProto {
  const missing = new Set<string>();
  const lookup: ViewLookup = (hash) => {
    const view = viewOf(hash);
    if (view === undefined) missing.add(hash);
    return view;
  };
  const observations = listFromProto(messages, path, (message, at) =>
    nodeObservationFromProto(message, lookup, at),
  );
  return { observations, missingViews: [...missing] };
}

export function nodeObservationToProto(
  observation: core.NodeObservation,
  form: ViewForm,
): proto.NodeObservation {
  const { redis } = observation;
  return create(proto.NodeObservationSchema, {
    key: observation.key,
    host: observation.host,
    port: observation.port,
    observedAt: timestampToProto(observation.observedAtMs),
    process: processObservationToProto(observation.process),
    redis: optional(redis, (own) => redisObservationToProto(own, form)),
  });
}

/** `viewOf` is asked only where a hash travelled alone; without it, such a view stays without nodes. */
export function nodeObservationFromProto(
  message: proto.NodeObservation,
  viewOf: ViewLookup = () => undefined,
  path = 'node',
): core.NodeObservation {
  const host = nameFromProto(message.host, `${path}.host`);
  const port = portFromProto(message.port, `${path}.port`);
  const process = requiredField(message.process, `${path}.process`);
  return {
    key: nodeKeyFromProto(message.key, { host, port }, `${path}.key`),
    host,
    port,
    observedAtMs: timestampFromProto(message.observedAt, `${path}.observedAt`),
    process: processObservationFromProto(process, `${path}.process`),
    redis: optional(message.redis, (redis) =>
      redisObservationFromProto(redis, viewOf, `${path}.redis`),
    ),
  };
}

export function processObservationToProto(
  process: core.ProcessObservation,
): proto.ProcessObservation {
  const { pid, startedAtMs, marker } = process;
  return create(proto.ProcessObservationSchema, {
    state: processState.toProto(process.state),
    pid,
    startedAt: optional(startedAtMs, timestampToProto),
    restarts: process.restarts,
    reason: process.reason,
    marker: optional(marker, (own) => ({ ...own })),
    hasData: process.hasData,
    identityLost: process.identityLost,
    planHash: process.planHash,
    buildId: process.buildId,
  });
}

export function processObservationFromProto(
  message: proto.ProcessObservation,
  path = 'process',
): core.ProcessObservation {
  return {
    state: processState.fromProto(message.state, `${path}.state`),
    pid: message.pid,
    startedAtMs: optional(message.startedAt, (at) => timestampFromProto(at, `${path}.startedAt`)),
    restarts: message.restarts,
    reason: message.reason,
    marker: optional(message.marker, (marker) => ({
      cluster: marker.cluster,
      clusterId: marker.clusterId,
      layoutNumber: marker.layoutNumber,
    })),
    hasData: message.hasData,
    identityLost: message.identityLost,
    planHash: message.planHash,
    buildId: message.buildId,
  };
}

export function redisObservationToProto(
  redis: core.RedisObservation,
  form: ViewForm,
): proto.RedisObservation {
  const { masterLinkUp, masterLastIoSeconds } = redis;
  const number = (field: NumberField): bigint => numberToProto(redis[field], `redis.${field}`);
  return create(proto.RedisObservationSchema, {
    nodeId: redis.nodeId,
    version: redis.version,
    role: nodeRoleToProto(redis.role),
    clusterStateOk: redis.clusterState === 'ok',
    slotsAssigned: redis.slotsAssigned,
    knownNodes: redis.knownNodes,
    currentEpoch: number('currentEpoch'),
    configEpoch: number('configEpoch'),
    replicationOffset: number('replicationOffset'),
    masterLinkUp,
    masterLastIoSeconds,
    syncInProgress: redis.syncInProgress,
    loading: redis.loading,
    connectedReplicas: redis.connectedReplicas,
    connectedClients: redis.connectedClients,
    usedMemoryBytes: number('usedMemoryBytes'),
    maxmemoryBytes: number('maxmemoryBytes'),
    keys: number('keys'),
    uptimeSeconds: number('uptimeSeconds'),
    nodeTimeoutMs: redis.nodeTimeoutMs,
    replicaNoFailover: redis.replicaNoFailover,
    aofEnabled: redis.aofEnabled,
    persistenceOk: redis.persistenceOk,
    nofileSoft: number('nofileSoft'),
    moveEngines: redis.moveEngines.map(moveEngineToProto),
    openSlotsQuietMs: number('openSlotsQuietMs'),
    orphanKeys: optional(redis.orphanKeys, orphanKeysToProto),
    ...viewFields(redis.view, form),
  });
}

/** The fields that travel as 64-bit integers. */
type NumberField =
  | 'currentEpoch'
  | 'configEpoch'
  | 'replicationOffset'
  | 'usedMemoryBytes'
  | 'maxmemoryBytes'
  | 'keys'
  | 'uptimeSeconds'
  | 'nofileSoft'
  | 'openSlotsQuietMs';

function viewFields(view: core.ClusterView, form: ViewForm) {
  return form.view === 'full'
    ? { view: clusterViewToProto(view) }
    : { view: { hash: view.hash }, disconnectedIds: disconnectedIds(view) };
}

export function redisObservationFromProto(
  message: proto.RedisObservation,
  viewOf: ViewLookup = () => undefined,
  path = 'redis',
): core.RedisObservation {
  const number = (field: NumberField): number =>
    numberFromProto(message[field], `${path}.${field}`);
  return {
    nodeId: nonEmptyFromProto(message.nodeId, `${path}.nodeId`),
    version: message.version,
    role: nodeRoleFromProto(message.role, `${path}.role`),
    clusterState: message.clusterStateOk ? 'ok' : 'fail',
    slotsAssigned: message.slotsAssigned,
    knownNodes: message.knownNodes,
    currentEpoch: number('currentEpoch'),
    configEpoch: number('configEpoch'),
    replicationOffset: number('replicationOffset'),
    masterLinkUp: message.masterLinkUp,
    masterLastIoSeconds: message.masterLastIoSeconds,
    syncInProgress: message.syncInProgress,
    loading: message.loading,
    connectedReplicas: message.connectedReplicas,
    connectedClients: message.connectedClients,
    usedMemoryBytes: number('usedMemoryBytes'),
    maxmemoryBytes: number('maxmemoryBytes'),
    keys: number('keys'),
    uptimeSeconds: number('uptimeSeconds'),
    nodeTimeoutMs: message.nodeTimeoutMs,
    replicaNoFailover: message.replicaNoFailover,
    aofEnabled: message.aofEnabled,
    persistenceOk: message.persistenceOk,
    nofileSoft: number('nofileSoft'),
    moveEngines: listFromProto(message.moveEngines, `${path}.moveEngines`, moveEngineFromProto),
    openSlotsQuietMs: number('openSlotsQuietMs'),
    orphanKeys: optional(message.orphanKeys, (orphans) =>
      orphanKeysFromProto(orphans, `${path}.orphanKeys`),
    ),
    view: viewOfMessage(message, viewOf, path),
  };
}

function viewOfMessage(
  message: proto.RedisObservation,
  viewOf: ViewLookup,
  path: string,
): core.ClusterView {
  const view = clusterViewFromProto(requiredField(message.view, `${path}.view`), `${path}.view`);
  if (view.nodes.length > 0) return view;
  const known = viewOf(view.hash);
  return known === undefined ? view : withDisconnected(known, message.disconnectedIds);
}

export function installedBuildToProto(build: core.InstalledBuild): proto.InstalledBuild {
  return create(proto.InstalledBuildSchema, { id: build.id, release: build.release });
}

export function installedBuildFromProto(
  message: proto.InstalledBuild,
  path = 'build',
): core.InstalledBuild {
  return {
    id: nameFromProto(message.id, `${path}.id`),
    release: nameFromProto(message.release, `${path}.release`),
  };
}

export function sharedBuildToProto(build: core.SharedBuild): proto.SharedBuild {
  return create(proto.SharedBuildSchema, {
    id: build.id,
    release: build.release,
    platform: build.platform,
  });
}

export function sharedBuildFromProto(message: proto.SharedBuild, path = 'build'): core.SharedBuild {
  return {
    ...installedBuildFromProto({ ...message, $typeName: 'redrover.v1.InstalledBuild' }, path),
    platform: nameFromProto(message.platform, `${path}.platform`),
  };
}
