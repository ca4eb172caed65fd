/**
 * What an examination looks at: the layout beside what was seen, indexed once.
 *
 * Only lookups belong here; what is wrong is said by the rules.
 */
import type { Finding } from '../model/finding.ts';
import type { Host } from '../model/host.ts';
import type { Layout, LayoutNode, NodeKey } from '../model/layout.ts';
import type { MoverObservation } from '../model/migration.ts';
import type {
  NodeObservation,
  Observation,
  RedisObservation,
  ViewNode,
} from '../model/observation.ts';
import type { Operation } from '../model/operation.ts';
import { clusterViewOf } from '../topology/cluster-view.ts';
import { effectiveRoles, type EffectiveRole } from '../placement/effective-roles.ts';

export interface ExaminationInput {
  readonly layout: Layout;
  readonly observation: Observation;
  /**
   * All known hosts, of whatever cluster: for their labels (zones), their addresses, and whether
   * most of them are silent. A host that is missing here counts as one without labels.
   */
  readonly hosts: readonly Host[];
  /**
   * Nodes of earlier layouts that this one does not have, to be found in the observation as well.
   */
  readonly former?: readonly LayoutNode[] | undefined;
  /**
   * The operation on the cluster that is under way, or rests: what it has not got to yet is no finding, or its own to
   * settle. Default: there is none.
   */
  readonly underWay?: Pick<Operation, 'id' | 'state'> | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export type Rule = (picture: Picture) => Finding[];

/** A node of the layout, or of an earlier one, that runs, answers, and whose host is online. */
export interface Speaker {
  readonly node: LayoutNode;
  readonly seen: NodeObservation;
  readonly redis: RedisObservation;
  /** Its own line of its own view; undefined if the view lacks it. */
  readonly self: ViewNode | undefined;
}

/** One opinion of the cluster, and who holds it. */
export interface Opinion {
  readonly holders: readonly NodeKey[];
  readonly nodes: readonly ViewNode[];
}

export interface Picture extends ExaminationInput {
  readonly former: readonly LayoutNode[];
  /** Those of them that are gone from the layout, each once: others only had another address. */
  readonly departed: readonly LayoutNode[];
  /** What each node should be now, hosts under maintenance considered. */
  readonly roles: ReadonlyMap<NodeKey, EffectiveRole>;
  readonly speakers: readonly Speaker[];
  /** Nodes of earlier layouts that speak still: until they are handed off they may own slots. */
  readonly formerSpeakers: readonly Speaker[];
  /** All of them by Redis node id. */
  readonly byId: ReadonlyMap<string, Speaker>;
  /** Distinct views; that of most nodes first. Empty if nobody speaks. */
  readonly opinions: readonly Opinion[];
  /** Movers of the cluster that agents report. */
  readonly movers: readonly MoverObservation[];
}

export function drawPicture(input: ExaminationInput): Picture {
  const { layout, observation, former = [] } = input;
  const speakers = layout.nodes.flatMap((node) => speakerOf(observation, node));
  const departed = findDeparted(layout, former);
  const formerSpeakers = departed.flatMap((node) => speakerOf(observation, node));
  const all = [...formerSpeakers, ...speakers];
  return {
    ...input,
    former,
    departed,
    roles: effectiveRoles(layout),
    speakers,
    formerSpeakers,
    byId: new Map(all.map((speaker) => [speaker.redis.nodeId, speaker])),
    opinions: groupOpinions(speakers),
    movers: Object.values(observation.hosts).flatMap(({ movers }) =>
      movers.filter(({ cluster }) => cluster === layout.cluster),
    ),
  };
}

function findDeparted({ nodes }: Layout, former: readonly LayoutNode[]): LayoutNode[] {
  const current = new Set(nodes.map((node) => node.key));
  const byKey = new Map(former.map((node) => [node.key, node]));
  return [...byKey.values()].filter((node) => !current.has(node.key));
}

function speakerOf(observation: Observation, node: LayoutNode): Speaker[] {
  const seen = observation.nodes[node.key];
  const { redis } = seen ?? {};
  if (seen === undefined || redis === undefined || seen.process.state !== 'running') return [];
  if (observation.hosts[node.host]?.status !== 'online') return [];
  const self = redis.view.nodes.find((entry) => entry.nodeId === redis.nodeId);
  return [{ node, seen, redis, self }];
}

/** Most holders first; among equals the view with the highest epoch, which Redis would follow. */
function groupOpinions(speakers: readonly Speaker[]): Opinion[] {
  const byHash = new Map<string, { holders: NodeKey[]; nodes: readonly ViewNode[] }>();
  for (const { node, redis } of speakers) {
    const hash = opinionHash(redis);
    const known = byHash.get(hash);
    if (known === undefined) {
      byHash.set(hash, { holders: [node.key], nodes: redis.view.nodes });
    } else known.holders.push(node.key);
  }
  return [...byHash.values()].sort(
    (a, b) => b.holders.length - a.holders.length || highestEpoch(b) - highestEpoch(a),
  );
}

/** A node that has slots open says so on its own line alone, which is no other opinion. */
function opinionHash({ nodeId, view }: RedisObservation): string {
  const self = view.nodes.find((entry) => entry.nodeId === nodeId);
  if (self === undefined || self.migrating.length + self.importing.length === 0) return view.hash;
  const closed = { ...self, migrating: [], importing: [] };
  return clusterViewOf(view.nodes.map((entry) => (entry === self ? closed : entry))).hash;
}

/** Whether slots move between these nodes, or to or from one of them. */
export function moverOf({ movers }: Picture, key: NodeKey): MoverObservation | undefined {
  return movers.find(({ source, target }) => source === key || target === key);
}

function highestEpoch(opinion: Opinion): number {
  return Math.max(...opinion.nodes.map((entry) => entry.configEpoch));
}

/** The name of a node that a view speaks of: its key if it is ours, else its address. */
export function nameOf(picture: Picture, entry: ViewNode): string {
  return layoutNodeOf(picture, entry)?.key ?? `${entry.address}:${entry.port}`;
}

/** The same by node id; an id that no view knows stays as it is. */
export function nameOfId(picture: Picture, nodeId: string): string {
  const speaker = picture.byId.get(nodeId);
  if (speaker !== undefined) return speaker.node.key;
  const entry = picture.opinions
    .flatMap((opinion) => opinion.nodes)
    .find((candidate) => candidate.nodeId === nodeId);
  return entry === undefined ? nodeId : nameOf(picture, entry);
}

/**
 * By node id where that node speaks, be it of an earlier layout; else by its endpoint: a silent
 * node cannot say its id.
 */
export function layoutNodeOf(picture: Picture, entry: ViewNode): LayoutNode | undefined {
  const speaker = picture.byId.get(entry.nodeId);
  if (speaker !== undefined) return speaker.node;
  const node = picture.layout.nodes.find(
    (candidate) => candidate.address === entry.address && candidate.port === entry.port,
  );
  const speaks = node !== undefined && picture.speakers.some((other) => other.node === node);
  // Somebody else speaks there now: the entry is of a former life of that node.
  return speaks ? undefined : node;
}

/** Whether the node belongs to a host under maintenance, where nothing is wanted of it. */
export function shallBeStopped({ roles }: Picture, node: LayoutNode): boolean {
  return roles.get(node.key) === 'stopped';
}

/** Who settles what an operation has not got to yet: it does, once it goes on; undefined where there is none. */
export function adviseOnUnderWay({ underWay }: Picture): string | undefined {
  if (underWay === undefined) return undefined;
  const { id, state } = underWay;
  return state === 'paused'
    ? `The operation that rests settles it: redrover op resume ${id}`
    : `Operation ${id}, which is under way, settles it.`;
}

/** What is done most: `h1:6379, h2:6379 and 4 more`. */
export function listSome(names: readonly string[], most = 6): string {
  if (names.length <= most) return names.join(', ');
  return `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}

/** Keeps evidence readable where a thousand nodes are at odds. */
export function limitLines(lines: readonly string[], most = 20): string[] {
  if (lines.length <= most) return [...lines];
  return [...lines.slice(0, most), `and ${lines.length - most} more`];
}
