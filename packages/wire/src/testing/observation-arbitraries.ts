/** Random observations of nodes, as wide as the types and the documented bounds allow. */
import type * as core from '@redrover/core';
import * as fc from 'fast-check';
import {
  bool,
  list,
  maybe,
  name,
  port,
  record,
  slot,
  slotRange,
  text,
  timeMs,
  uint32,
  uint64,
  viewPort,
  word,
} from './field-arbitraries.ts';
import { moveEngine, orphanKeys } from './move-arbitraries.ts';
import { keyed, nodeRole } from './shared-arbitraries.ts';

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
