/**
 * The newest observation of every node, each with the node's own view of its cluster.
 *
 * Views are content-addressed: a heartbeat names them by hash, and only those that nobody has
 * sent yet are asked for. What follows from an observation is the planner's and the examiner's
 * business.
 */
import { EventEmitter } from 'node:events';
import { performance } from 'node:perf_hooks';

import {
  clusterViewOf,
  type ClusterView,
  type NodeKey,
  type NodeObservation,
  type RedisObservation,
  type ViewNode,
} from '@redrover/core';

import { LOST_AFTER_MS } from './liveness.ts';

/** What a host reported of one node. */
export interface NodeReport {
  readonly observation: NodeObservation;
  /** Ids of nodes to which this node has no working link; only beside a view that is a bare hash. */
  readonly disconnectedIds: readonly string[];
}

/** An agent's clock that is set back must not make all that it says look old for ever. */
const CLOCK_STEP_MS = 5_000;

/**
 * Older than that, what was said of a node on a host that is heard is of the past: from before the
 * host was away, or the last that could be read there. Twice the silence that makes a host lost.
 */
const STALE_AFTER_MS = 2 * LOST_AFTER_MS;

/** Views that no node holds any more are dropped when there are this many more than nodes. */
const SPARE_VIEWS = 64;

/** Emits `change` with the host's name when anything of its nodes was merged. */
export class Observations extends EventEmitter<{ change: [host: string] }> {
  readonly #nodes = new Map<NodeKey, NodeObservation>();
  readonly #views = new Map<string, ClusterView>();
  /** Reports that name a view which nobody has sent yet. */
  readonly #waiting = new Map<NodeKey, NodeReport>();
  /** The nodes that a host listed in its last heartbeat. */
  readonly #listed = new Map<string, ReadonlySet<NodeKey>>();
  /** When each node was merged last, and each host's list, by the monotonic clock. */
  readonly #mergedTicks = new Map<NodeKey, number>();
  readonly #listedTicks = new Map<string, number>();

  constructor() {
    super();
    // Each operation under way listens.
    this.setMaxListeners(0);
  }

  find(key: NodeKey): NodeObservation | undefined {
    return this.#nodes.get(key);
  }

  /**
   * Only what may still be so, for decisions about the nodes of a host that is heard: it may be
   * heard for long while of one of its nodes nothing new is.
   */
  findFresh(key: NodeKey): NodeObservation | undefined {
    const node = this.#nodes.get(key);
    if (node === undefined) return undefined;
    const merged = this.#mergedTicks.get(key) ?? -Infinity;
    // A list does not name the nodes that the host does not have.
    const isAbsent = node.process.state === 'absent';
    const listed = isAbsent ? (this.#listedTicks.get(node.host) ?? -Infinity) : -Infinity;
    return performance.now() - Math.max(merged, listed) < STALE_AFTER_MS ? node : undefined;
  }

  /** The nodes that the host's agent has, by its last complete list. */
  listOfHost(host: string): NodeObservation[] {
    const keys = [...(this.#listed.get(host) ?? [])].sort();
    const nodes = keys.flatMap((key) => this.#nodes.get(key) ?? []);
    return nodes.filter((node) => node.process.state !== 'absent');
  }

  get viewCount(): number {
    return this.#views.size;
  }

  /**
   * Merges a complete list of the host's nodes: a node that was in the last one and is not in
   * this one is gone.
   *
   * @returns the hashes of views that the host should be asked for.
   */
  mergeList(host: string, reports: readonly NodeReport[], observedAtMs: number): string[] {
    const keys = new Set(reports.map((report) => report.observation.key));
    for (const key of this.#listed.get(host) ?? []) {
      const known = this.#nodes.get(key);
      const isNewer = known !== undefined && known.observedAtMs > observedAtMs;
      if (!keys.has(key) && !isNewer) this.#set(absentNode(key, host, observedAtMs));
    }
    this.#listed.set(host, keys);
    this.#listedTicks.set(host, performance.now());
    return this.merge(host, reports);
  }

  /** Merges what a command's result said of some nodes; see `mergeList` for the answer. */
  merge(host: string, reports: readonly NodeReport[]): string[] {
    const wanted = new Set<string>();
    // All views first: reports of one message may name each other's.
    for (const report of reports.map((each) => this.#verified(each))) {
      const missing = this.#mergeOne(report);
      if (missing !== undefined) wanted.add(missing);
    }
    this.#dropSpareViews();
    this.emit('change', host);
    return [...wanted];
  }

  /** Takes views that were asked for, and merges the reports that waited for them. */
  mergeViews(host: string, views: readonly ClusterView[]): void {
    for (const view of views) if (view.nodes.length > 0) this.#learn(view);
    for (const report of this.#waiting.values()) {
      if (report.observation.host === host) this.#mergeOne(report);
    }
    this.emit('change', host);
  }

  /** What a host's agent had asked and said is void when its session ends. */
  forgetWaiting(host: string): void {
    for (const [key, report] of this.#waiting) {
      if (report.observation.host === host) this.#waiting.delete(key);
    }
  }

  /** The host is gone for good. */
  forgetHost(host: string): void {
    this.forgetWaiting(host);
    this.#listed.delete(host);
    this.#listedTicks.delete(host);
    for (const [key, node] of this.#nodes) {
      if (node.host !== host) continue;
      this.#nodes.delete(key);
      this.#mergedTicks.delete(key);
    }
    this.emit('change', host);
  }

  /**
   * Others are told of this view by its hash alone: an agent that names the wrong one must not
   * speak for them.
   *
   * @returns whether the view is what its hash says.
   */
  #learn(view: ClusterView): boolean {
    if (this.#views.has(view.hash)) return true;
    if (clusterViewOf(view.nodes).hash !== view.hash) return false;
    this.#views.set(view.hash, view);
    return true;
  }

  /** A full view under a wrong hash is what its lines say. */
  #verified(report: NodeReport): NodeReport {
    const { observation } = report;
    const { redis } = observation;
    if (redis === undefined || redis.view.nodes.length === 0 || this.#learn(redis.view)) {
      return report;
    }
    const view = clusterViewOf(redis.view.nodes);
    this.#views.set(view.hash, view);
    return { ...report, observation: { ...observation, redis: { ...redis, view } } };
  }

  /** The hash of the view that is missing, if one is. */
  #mergeOne(report: NodeReport): string | undefined {
    const { observation } = report;
    const { key, redis } = observation;
    const known = this.#nodes.get(key);
    if (known !== undefined && isOlder(observation, known)) return undefined;
    if (redis === undefined) {
      this.#waiting.delete(key);
      this.#set(observation);
      return undefined;
    }
    const view = this.#viewFor(redis, known?.redis);
    if (view === undefined) {
      this.#waiting.set(key, report);
      return redis.view.hash;
    }
    this.#waiting.delete(key);
    const linked = view === redis.view ? view : withLinks(view, report.disconnectedIds);
    this.#set({ ...observation, redis: { ...redis, view: linked } });
    return undefined;
  }

  #set(node: NodeObservation): void {
    this.#nodes.set(node.key, node);
    this.#mergedTicks.set(node.key, performance.now());
  }

  /**
   * A full view is taken as it is; of a bare hash, the node's own last view with that hash comes
   * first, as it also holds what the hash leaves out (links, `nofailover`).
   */
  #viewFor(redis: RedisObservation, last: RedisObservation | undefined): ClusterView | undefined {
    const { view } = redis;
    if (view.nodes.length > 0 || view.hash === '') return view;
    return last?.view.hash === view.hash ? last.view : this.#views.get(view.hash);
  }

  #dropSpareViews(): void {
    if (this.#views.size <= this.#nodes.size + SPARE_VIEWS) return;
    const held = new Set([...this.#nodes.values()].map((node) => node.redis?.view.hash));
    for (const hash of this.#views.keys()) if (!held.has(hash)) this.#views.delete(hash);
  }
}

function isOlder(observation: NodeObservation, known: NodeObservation): boolean {
  const behindMs = known.observedAtMs - observation.observedAtMs;
  return behindMs > 0 && behindMs < CLOCK_STEP_MS;
}

/** Puts the node's own links back into a view; shares the view where it fits as it is. */
function withLinks(view: ClusterView, disconnectedIds: readonly string[]): ClusterView {
  const broken = new Set(disconnectedIds);
  const fits = view.nodes.every((node) => node.connected !== broken.has(node.nodeId));
  if (fits) return view;
  const nodes = view.nodes.map((node): ViewNode => {
    const connected = !broken.has(node.nodeId);
    return node.connected === connected ? node : { ...node, connected };
  });
  return { hash: view.hash, nodes };
}

function absentNode(key: NodeKey, host: string, observedAtMs: number): NodeObservation {
  return {
    key,
    host,
    port: Number(key.slice(key.lastIndexOf(':') + 1)),
    observedAtMs,
    process: {
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
    },
    redis: undefined,
  };
}
