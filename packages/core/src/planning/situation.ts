/**
 * What a turn of the planner works on: its input, indexed once.
 *
 * Only lookups belong here; what follows from them is decided in the phases beside this file.
 */
import type { Layout, LayoutNode, NodeKey } from '../model/layout.ts';
import type { MoveOptions } from '../model/migration.ts';
import type {
  HostObservation,
  NodeObservation,
  Observation,
  RedisObservation,
  ViewNode,
} from '../model/observation.ts';
import type { History, OperationKind } from '../model/operation.ts';
import type { Release } from '../model/release.ts';
import { indexAttempts, type AttemptIndex } from './attempts.ts';

export interface PlanInput {
  /** The layout to make real; for `remove` the layout of the cluster that goes. */
  readonly layout: Layout;
  /** The release that `layout.release` names. */
  readonly release: Release;
  readonly kind: OperationKind;
  /** Nodes of earlier layouts that this one does not have: handed off, stopped and forgotten. */
  readonly former: readonly LayoutNode[];
  /** `remove` only: delete the data instead of keeping it in the trash folder. */
  readonly purge: boolean;
  /** How slots are moved, where any are. */
  readonly move: MoveOptions;
  /**
   * Must hold an entry for each node of the layout whose host has reported, also for those that
   * the host does not have (`absent`): a missing entry means that nothing is known, and is waited
   * for. For `change` and `repair` the same goes for the nodes of `former`.
   */
  readonly observation: Observation;
  /** The attempts of this operation, oldest first. */
  readonly history: History;
  /** Milliseconds since the epoch, on the clock that `history` and `lastSeenMs` are of. */
  readonly now: number;
}

/** A node of the layout whose process runs and answers. */
export interface LiveNode {
  readonly node: LayoutNode;
  readonly redis: RedisObservation;
  /** Its own line of its own view; undefined if the view lacks it. */
  readonly self: ViewNode | undefined;
}

/** One opinion of the cluster, and who holds it. */
export interface DistinctView {
  readonly holders: readonly NodeKey[];
  readonly nodes: ReadonlyMap<string, ViewNode>;
}

export interface Situation extends PlanInput {
  readonly attempts: AttemptIndex;
  /** Running and answering nodes of the layout on hosts that are online, in layout order. */
  readonly live: readonly LiveNode[];
  readonly liveByKey: ReadonlyMap<NodeKey, LiveNode>;
  /** By Redis node id. */
  readonly liveById: ReadonlyMap<string, LiveNode>;
  /** By hash: a thousand nodes that agree are judged once. */
  readonly views: ReadonlyMap<string, DistinctView>;
}

export function assessSituation(input: PlanInput): Situation {
  const live = input.layout.nodes.flatMap((node) => liveNodeOf(input.observation, node));
  return {
    ...input,
    attempts: indexAttempts(input.history),
    live,
    liveByKey: new Map(live.map((entry) => [entry.node.key, entry])),
    liveById: new Map(live.map((entry) => [entry.redis.nodeId, entry])),
    views: distinctViews(live),
  };
}

function liveNodeOf(observation: Observation, node: LayoutNode): LiveNode[] {
  const seen = observation.nodes[node.key];
  const host = observation.hosts[node.host];
  if (host?.status !== 'online' || seen?.process.state !== 'running') return [];
  const { redis } = seen;
  if (redis === undefined) return [];
  const self = redis.view.nodes.find((entry) => entry.nodeId === redis.nodeId);
  return [{ node, redis, self }];
}

function distinctViews(live: readonly LiveNode[]): Map<string, DistinctView> {
  const views = new Map<string, { holders: NodeKey[]; nodes: Map<string, ViewNode> }>();
  for (const { node, redis } of live) {
    const known = views.get(redis.view.hash);
    if (known !== undefined) known.holders.push(node.key);
    else {
      const nodes = new Map(redis.view.nodes.map((entry) => [entry.nodeId, entry]));
      views.set(redis.view.hash, { holders: [node.key], nodes });
    }
  }
  return views;
}

/** The live node's own view, indexed by node id. */
export function viewOf(situation: Situation, live: LiveNode): ReadonlyMap<string, ViewNode> {
  return situation.views.get(live.redis.view.hash)?.nodes ?? new Map();
}

export function hostOf(situation: Situation, name: string): HostObservation | undefined {
  return situation.observation.hosts[name];
}

export function isOnline(situation: Situation, host: string): boolean {
  return hostOf(situation, host)?.status === 'online';
}

export function seenNode(situation: Situation, key: NodeKey): NodeObservation | undefined {
  return situation.observation.nodes[key];
}

/** Names of the layout's hosts, each once, in layout order. */
export function layoutHosts(layout: Layout): string[] {
  return [...new Set(layout.nodes.map((node) => node.host))];
}

/** Whether all nodes of the layout run and answer. */
export function allLive(situation: Situation): boolean {
  return situation.live.length === situation.layout.nodes.length;
}
