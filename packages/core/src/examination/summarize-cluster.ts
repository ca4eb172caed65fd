/** A cluster in rows: health, shards, nodes; what tables and pictures are drawn from. */
import type { Layout, LayoutNode, NodeKey } from '../model/layout.ts';
import type { Observation, ProcessState, ViewNode } from '../model/observation.ts';
import { countSlots, normalizeRanges, SLOT_COUNT, type SlotRange } from '../model/slots.ts';
import type { NodeRole } from '../model/spec.ts';
import { drawPicture, layoutNodeOf, nameOfId, type Picture, type Speaker } from './picture.ts';
import { actualShards, idleMaster, ownSlots } from './roles.ts';

/**
 * - `ok`: all slots served, all nodes in place and in agreement.
 * - `degraded`: all slots served, something is missing.
 * - `down`: some slots are not served, or nodes refuse to serve.
 * - `unknown`: no node can be asked.
 */
export type ClusterHealth = 'ok' | 'degraded' | 'down' | 'unknown';

export interface NodeSummary {
  /** Redis node id; empty if the node was never asked. */
  readonly id: string;
  readonly key: NodeKey;
  readonly host: string;
  readonly address: string;
  readonly port: number;
  /** The actual role where the node answers, else the preferred one. */
  readonly role: NodeRole;
  readonly preferredRole: NodeRole;
  readonly shard: string;
  /** Owned by its own view; empty for a replica. */
  readonly slots: readonly SlotRange[];
  /** The master that it follows; empty for a master. */
  readonly master: NodeKey;
  readonly state: ProcessState | 'unknown';
  /** Behind its master; undefined for a master, or if one of the two is not known. */
  readonly lagBytes: number | undefined;
  /** Since the last word of its master; undefined for a master, -1 without a link. */
  readonly lagSeconds: number | undefined;
  readonly linkUp: boolean | undefined;
  readonly usedMemoryBytes: number | undefined;
  /** 0: no limit is set. */
  readonly maxmemoryBytes: number | undefined;
  readonly keys: number | undefined;
  readonly version: string;
}

export interface ShardSummary {
  readonly id: string;
  readonly slots: readonly SlotRange[];
  /** The acting master; empty if there is none, or more than one. */
  readonly master: NodeKey;
  /** The replicas that follow it. */
  readonly replicas: readonly NodeKey[];
  readonly wantedReplicas: number;
}

export interface ClusterOverview {
  readonly health: ClusterHealth;
  readonly shards: readonly ShardSummary[];
  readonly nodes: readonly NodeSummary[];
}

/**
 * `former`: nodes of earlier layouts, which serve slots until they are handed off. A cluster with a
 * drained host is `degraded`: that is wanted, but something is missing all the same.
 */
export function summarizeCluster(
  layout: Layout,
  observation: Observation,
  former: readonly LayoutNode[] = [],
): ClusterOverview {
  const picture = drawPicture({ layout, observation, former, hosts: [], now: 0 });
  const shards = summarizeShards(picture);
  const byKey = new Map(picture.speakers.map((speaker) => [speaker.node.key, speaker]));
  return {
    health: judgeHealth(picture, shards),
    shards,
    nodes: layout.nodes.map((node) => summarizeNode(picture, node, byKey.get(node.key))),
  };
}

function judgeHealth(picture: Picture, shards: readonly ShardSummary[]): ClusterHealth {
  const { speakers, formerSpeakers, layout } = picture;
  if (speakers.length === 0) return 'unknown';
  const refuses = speakers.some(({ redis }) => redis.clusterState !== 'ok');
  if (refuses || countServed(picture) < SLOT_COUNT) return 'down';
  const complete =
    speakers.length === layout.nodes.length &&
    formerSpeakers.length === 0 &&
    isOneOpinion(picture) &&
    shards.every((shard) => shard.master !== '' && shard.replicas.length >= shard.wantedReplicas) &&
    speakers.every(({ redis }) => redis.role === 'master' || redis.masterLinkUp === true);
  return complete ? 'ok' : 'degraded';
}

/** While slots move, nodes hear of each new owner one after another: that is no disagreement. */
function isOneOpinion({ opinions, movers }: Picture): boolean {
  if (opinions.length === 1 || movers.length === 0) return opinions.length === 1;
  const withoutSlots = opinions.map(({ nodes }) =>
    nodes
      .map(({ nodeId, flags, masterId }) => `${nodeId} ${flags.join(',')} ${masterId}`)
      .toSorted()
      .join('\n'),
  );
  return new Set(withoutSlots).size === 1;
}

/**
 * Slots with an owner that no agent knows to be down and nobody of the living calls failed: where
 * only the agents are silent, the nodes on their hosts still serve, and the others say so.
 */
function countServed(picture: Picture): number {
  const served = picture.opinions.flatMap(({ nodes }) =>
    nodes.flatMap((entry) =>
      entry.flags.includes('fail') || isKnownDown(picture, entry) ? [] : entry.slots,
    ),
  );
  return countSlots(normalizeRanges(served));
}

function isKnownDown(picture: Picture, entry: ViewNode): boolean {
  const node = layoutNodeOf(picture, entry);
  if (node === undefined || picture.observation.hosts[node.host]?.status !== 'online') return false;
  return picture.observation.nodes[node.key]?.process.state !== 'running';
}

function summarizeShards(picture: Picture): ShardSummary[] {
  return actualShards(picture).map(({ shard, masters, replicas, isEmpty }) => {
    const idle = isEmpty ? idleMaster(picture, shard) : undefined;
    const members = picture.layout.nodes.filter((node) => node.shard === shard.id);
    const followers = idle === undefined ? replicas : followersOf(picture, idle);
    return {
      id: shard.id,
      slots: shard.slots,
      master: masters.length > 1 ? '' : ((masters[0] ?? idle)?.node.key ?? ''),
      replicas: followers.map((speaker) => speaker.node.key),
      wantedReplicas: Math.max(0, members.length - 1),
    };
  });
}

function followersOf({ speakers }: Picture, { redis }: Speaker): Speaker[] {
  return speakers.filter(({ self }) => self?.masterId === redis.nodeId);
}

function summarizeNode(
  picture: Picture,
  node: LayoutNode,
  speaker: Speaker | undefined,
): NodeSummary {
  const seen = picture.observation.nodes[node.key];
  const redis = speaker?.redis;
  const online = picture.observation.hosts[node.host]?.status === 'online';
  const masterId = speaker?.self?.masterId ?? '';
  const master = picture.byId.get(masterId);
  const isReplica = redis?.role === 'replica';
  return {
    id: seen?.redis?.nodeId ?? '',
    key: node.key,
    host: node.host,
    address: node.address,
    port: node.port,
    role: redis?.role ?? node.preferredRole,
    preferredRole: node.preferredRole,
    shard: node.shard,
    slots: speaker === undefined ? [] : ownSlots(speaker),
    master: isReplica ? nameOfId(picture, masterId) : '',
    state: online ? (seen?.process.state ?? 'unknown') : 'unknown',
    lagBytes:
      isReplica && master !== undefined
        ? Math.max(0, master.redis.replicationOffset - redis.replicationOffset)
        : undefined,
    lagSeconds: redis?.masterLastIoSeconds,
    linkUp: redis?.masterLinkUp,
    usedMemoryBytes: redis?.usedMemoryBytes,
    maxmemoryBytes: redis?.maxmemoryBytes,
    keys: redis?.keys,
    version: redis?.version ?? '',
  };
}
