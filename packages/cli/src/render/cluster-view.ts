/** A cluster for scripts: what was planned and what was seen, joined by node. Rendering is elsewhere. */
import { countSlots, effectiveRoles } from '@redrover/core';
import type {
  ClusterSpec,
  ClusterView as NodesView,
  EffectiveRole,
  Finding,
  HostStatus,
  LayoutNode,
  NodeObservation,
  NodeRole,
  Operation,
  SlotRange,
  ViewNode,
} from '@redrover/core';
import { ClusterHealth } from '@redrover/proto';
import type { ClusterSummary, GetClusterResponse } from '@redrover/proto';
import {
  clusterSpecFromProto,
  findingFromProto,
  layoutFromProto,
  nodeObservationFromProto,
  operationFromProto,
} from '@redrover/wire';

import { describeDisagreement, majorityView } from './disagreement.ts';
import { compareText } from './plan-view.ts';
import { present } from './present.ts';
import { describeOpenSlots, findElsewhere, listRanges } from './slots-on-their-way.ts';
import type { OpenSlotsView, SlotsElsewhere } from './slots-on-their-way.ts';
import { isoTime } from './times.ts';

export type Health = 'ok' | 'degraded' | 'down' | 'unknown';

export type OperationBrief = Pick<Operation, 'id' | 'kind' | 'state' | 'reason' | 'automatic'>;

export interface SummaryView {
  readonly name: string;
  readonly clusterId: string;
  readonly release: string;
  readonly health: Health;
  readonly shards: number;
  readonly nodeCount: number;
  readonly layoutNumber: number;
  readonly operation: OperationBrief | null;
}

export interface NodeView {
  /** Redis node id; empty until the node has answered once. */
  readonly id: string;
  readonly key: string;
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly busPort: number;
  /** As Redis says; of a node that does not answer, what it would come back as. */
  readonly role: NodeRole;
  readonly preferredRole: NodeRole;
  /** What the layout wants it to be now: the preferred role, save while hosts are drained. */
  readonly wantedRole: EffectiveRole;
  readonly shard: string;
  /** `0-5460`, as it says, or as the others say of one that does not answer; of a replica none. */
  readonly slots: readonly string[];
  readonly slotCount: number;
  /** Slots that are on their way, by its own word. */
  readonly openSlots: readonly OpenSlotsView[];
  /** Of its process; `host-lost` where nobody is there to tell. */
  readonly state: string;
  readonly reason: string;
  readonly pid: number | null;
  readonly restarts: number;
  readonly version: string;
  readonly masterId: string;
  readonly masterLinkUp: boolean | null;
  /** Bytes that a replica is behind its master; null for a master, or when it is not known. */
  readonly lagBytes: number | null;
  readonly keys: number;
  readonly usedMemoryBytes: number;
  readonly maxmemoryBytes: number;
  readonly clusterState: string;
  readonly observedAt: string | null;
  /** How this node's own view of the cluster differs from that of most nodes. */
  readonly disagreements: readonly string[];
}

export interface ClusterDetails extends SummaryView {
  readonly slotsCovered: number;
  readonly slotsElsewhere: readonly SlotsElsewhere[];
  /** Under maintenance: their nodes are stopped. */
  readonly drainedHosts: readonly string[];
  readonly repair: ClusterSpec['repair'];
  readonly repairQuietMs: number;
  readonly nodes: readonly NodeView[];
  readonly findings: readonly Finding[];
}

export function toSummaryView(summary: ClusterSummary): SummaryView {
  const operation =
    summary.operation === undefined ? undefined : operationFromProto(summary.operation);
  return {
    name: summary.name,
    clusterId: summary.clusterId,
    release: summary.release,
    health: HEALTH[summary.health],
    shards: summary.shards,
    nodeCount: summary.nodes,
    layoutNumber: summary.layoutNumber,
    operation: operation === undefined ? null : toOperationBrief(operation),
  };
}

function toOperationBrief({ id, kind, state, reason, automatic }: Operation): OperationBrief {
  return { id, kind, state, reason, automatic };
}

const HEALTH: Readonly<Record<ClusterHealth, Health>> = {
  [ClusterHealth.UNSPECIFIED]: 'unknown',
  [ClusterHealth.OK]: 'ok',
  [ClusterHealth.DEGRADED]: 'degraded',
  [ClusterHealth.DOWN]: 'down',
  [ClusterHealth.UNKNOWN]: 'unknown',
};

/** What nodes of a host that is lost said last is no longer taken for true. */
export function toClusterDetails(
  answer: GetClusterResponse,
  hosts: ReadonlyMap<string, HostStatus>,
): ClusterDetails {
  const layout = layoutFromProto(present(answer.layout, 'layout'));
  const isLost = (host: string): boolean => (hosts.get(host) ?? 'lost') === 'lost';
  const observations = answer.nodes
    .map((node) => nodeObservationFromProto(node))
    .filter(({ host }) => !isLost(host));
  const byKey = new Map(observations.map((node) => [node.key, node]));
  const majority = majorityView(observations.flatMap(({ redis }) => redis?.view ?? []));
  const answering = observations.flatMap(({ key, redis }) =>
    redis === undefined ? [] : [{ key, redis }],
  );
  const offsets = new Map(answering.map(({ redis }) => [redis.nodeId, redis.replicationOffset]));
  const keysById = new Map(answering.map(({ key, redis }) => [redis.nodeId, key]));
  const wanted = effectiveRoles(layout);
  const led = new Set(
    layout.nodes
      .filter(({ key }) => byKey.get(key)?.redis?.role === 'master')
      .map(({ shard }) => shard),
  );
  const nodes = layout.nodes.map((node) => {
    const wantedRole = wanted.get(node.key) ?? node.preferredRole;
    const fallbackRole = led.has(node.shard) ? 'replica' : node.preferredRole;
    const input = { node, wantedRole, fallbackRole, observation: byKey.get(node.key) };
    return toNodeView({ ...input, isLost: isLost(node.host), majority, offsets, keysById });
  });
  const { repair, repairQuietMs } = clusterSpecFromProto(present(answer.spec, 'spec'));
  return {
    ...toSummaryView(present(answer.summary, 'summary')),
    slotsCovered: countCovered(majority),
    slotsElsewhere: findElsewhere(majority, layout.nodes),
    drainedHosts: layout.drainedHosts,
    repair,
    repairQuietMs,
    nodes: nodes.sort(compareNodes),
    findings: answer.findings.map((each) => findingFromProto(each)),
  };
}

interface JoinInput {
  readonly node: LayoutNode;
  readonly wantedRole: EffectiveRole;
  /** Of a node that does not answer: a shard that is led by another will have it as a replica. */
  readonly fallbackRole: NodeRole;
  readonly observation: NodeObservation | undefined;
  /** Its host is. */
  readonly isLost: boolean;
  readonly majority: NodesView | undefined;
  /** Replication offsets by Redis node id. */
  readonly offsets: ReadonlyMap<string, number>;
  /** Node keys by Redis node id. */
  readonly keysById: ReadonlyMap<string, string>;
}

function toNodeView(input: JoinInput): NodeView {
  const { node, observation, majority, offsets } = input;
  const { redis, process } = observation ?? {};
  const own = redis?.view.nodes.find(({ nodeId }) => nodeId === redis.nodeId);
  const word = redis === undefined ? wordOfOthers(node, majority) : undefined;
  const owner = redis === undefined ? word : redis.role === 'master' ? own : undefined;
  const slots: readonly SlotRange[] = owner?.slots ?? [];
  const masterId = own?.masterId ?? '';
  return {
    id: redis?.nodeId ?? '',
    key: node.key,
    host: node.host,
    address: node.address,
    port: node.port,
    busPort: node.busPort,
    role: redis?.role ?? (word === undefined ? input.fallbackRole : roleByWord(word)),
    preferredRole: node.preferredRole,
    wantedRole: input.wantedRole,
    shard: node.shard,
    slots: listRanges(slots),
    slotCount: countSlots(slots),
    openSlots: own === undefined ? [] : describeOpenSlots(own, input.keysById),
    state: input.isLost ? 'host-lost' : (process?.state ?? 'absent'),
    reason: process?.reason ?? '',
    pid: process?.pid ?? null,
    restarts: process?.restarts ?? 0,
    version: redis?.version ?? '',
    masterId,
    masterLinkUp: redis?.masterLinkUp ?? null,
    lagBytes: lagOf(redis, offsets.get(masterId)),
    keys: redis?.keys ?? 0,
    usedMemoryBytes: redis?.usedMemoryBytes ?? 0,
    maxmemoryBytes: redis?.maxmemoryBytes ?? 0,
    clusterState: redis?.clusterState ?? 'unknown',
    observedAt: isoTime(observation?.observedAtMs),
    disagreements:
      redis === undefined || majority === undefined
        ? []
        : describeDisagreement(redis.view, majority),
  };
}

/** What the others say of a node that does not answer, as long as that tells anything. */
function wordOfOthers(node: LayoutNode, majority: NodesView | undefined): ViewNode | undefined {
  const said = majority?.nodes.find(
    ({ address, port }) => address === node.address && port === node.port,
  );
  // A master without slots has lost them to another, and will follow that one when it is back.
  const tells = said?.flags.includes('slave') === true || (said?.slots.length ?? 0) > 0;
  return tells ? said : undefined;
}

function roleByWord({ flags }: ViewNode): NodeRole {
  return flags.includes('slave') ? 'replica' : 'master';
}

/** Slots of masters that most nodes do not take for failed. */
function countCovered(majority: NodesView | undefined): number {
  const serving = majority?.nodes.filter(({ flags }) => !flags.includes('fail')) ?? [];
  return serving.reduce((sum, { slots }) => sum + countSlots(slots), 0);
}

function lagOf(redis: NodeObservation['redis'], masterOffset: number | undefined): number | null {
  if (redis?.role !== 'replica' || masterOffset === undefined) return null;
  // The two were read one after the other, so the replica may even seem to be ahead.
  return Math.max(0, masterOffset - redis.replicationOffset);
}

/** By shard, its master first. */
function compareNodes(a: NodeView, b: NodeView): number {
  return (
    compareText(a.shard, b.shard) ||
    compareText(a.role, b.role) ||
    compareText(a.host, b.host) ||
    a.port - b.port
  );
}
