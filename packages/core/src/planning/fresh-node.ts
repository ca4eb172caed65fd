/** How nodes look before anything was done to them: absent, or started and empty. */
import type { LayoutNode, NodeKey } from '../model/layout.ts';
import {
  NO_ORPHAN_KEYS,
  type NodeObservation,
  type ProcessObservation,
  type RedisObservation,
  type ViewNode,
} from '../model/observation.ts';
import { clusterViewOf } from '../topology/cluster-view.ts';
import { fingerprintOf } from '../topology/fingerprint.ts';

/** The process of a node that its host does not have. */
export const ABSENT: ProcessObservation = {
  state: 'absent',
  pid: undefined,
  startedAtMs: undefined,
  restarts: 0,
  reason: '',
  marker: undefined,
  hasData: false,
  identityLost: false,
  planHash: '',
  buildId: '',
};

/** A node as its host would report it if it had no directory. */
export function absentNode(node: LayoutNode, observedAtMs: number): NodeObservation {
  const { key, host, port } = node;
  return { key, host, port, observedAtMs, process: ABSENT, redis: undefined };
}

/** What an empty node says of itself right after its first start; in each life under another id. */
export function freshRedis(node: LayoutNode, life = 1): RedisObservation {
  const nodeId = simulatedNodeId(life === 1 ? node.key : `${node.key} ${life}`);
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
    moveEngines: ['migrate'],
    openSlotsQuietMs: 0,
    orphanKeys: NO_ORPHAN_KEYS,
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
