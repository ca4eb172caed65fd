/** What a running node says of itself, read with as few and as cheap commands as possible. */
import {
  clusterViewOf,
  compareVersions,
  readClusterInfo,
  readClusterNodes,
  readInfo,
  RedroverError,
  type ClusterNodesReading,
  type InfoReading,
  type MoveEngine,
  type RedisObservation,
  type ViewNode,
} from '@redrover/core';
import { ENGINES_QUESTION, readMoveEngines } from './move-engines.ts';
import type { NodeConnection, RedisCommand } from './node-connection.ts';
import { OpenSlotWatch, openSlotsOf } from './open-slots.ts';
import { OrphanKeyCount } from './orphan-keys.ts';

/** What is in force in the process and only CONFIG GET tells. */
interface Timing {
  readonly nodeTimeoutMs: number;
  readonly replicaNoFailover: boolean;
}

export interface ObserveOptions {
  /** The process that answers: what was cached of another one is dropped. */
  readonly pid: number;
  /** Reads again what changes rarely. */
  readonly fresh: boolean;
  readonly timeoutMs?: number;
}

export interface ObserverSources {
  /** Soft `nofile` limit of the process. */
  readonly readNofileSoft: (pid: number) => number;
  /** Id from the node's own nodes.conf: while it loads, it does not say it. */
  readonly readOwnId: () => Promise<string>;
}

/**
 * Reading all of what ten nodes say each second is most of what an agent costs. In between only what
 * moves is read, as long as nothing of the cluster's state (epochs, known nodes, slots) has changed.
 */
const GLANCES_BETWEEN_READINGS = 2;

/** Somebody may change the timing by hand: it is read again after so many readings. */
const TIMING_READ_EVERY = 10;

/** From 7.0 INFO takes several sections; the others are half of the text and not needed. */
const INFO_SECTIONS = ['server', 'clients', 'memory', 'persistence', 'replication', 'keyspace'];

const EMPTY_VIEW = clusterViewOf([]);

/** Observes one node, and remembers what need not be read each time. */
export class NodeObserver {
  readonly #connection: NodeConnection;
  readonly #sources: ObserverSources;
  #pid = 0;
  #reading: ClusterNodesReading | undefined;
  #timing: Timing | undefined;
  #moveEngines: readonly MoveEngine[] | undefined;
  readonly #openSlots = new OpenSlotWatch();
  readonly #orphans = new OrphanKeyCount();
  #nofileSoft = 0;
  #takesSections = false;
  #sinceTiming = 0;
  #last: { readonly redis: RedisObservation; readonly clusterState: string } | undefined;
  #glances = 0;
  #aofWritten = false;

  constructor(connection: NodeConnection, sources: ObserverSources) {
    this.#connection = connection;
    this.#sources = sources;
  }

  /**
   * Whether the AOF holds all that was acknowledged. While one that was off is being switched on, or
   * a replica has just taken over its master's data, the files are older than that until they have
   * been written anew; INFO calls it enabled all the same.
   */
  get aofWritten(): boolean {
    return this.#aofWritten;
  }

  /** @throws RedroverError `unavailable` or `deadline-exceeded` when the node does not answer. */
  async observe(options: ObserveOptions): Promise<RedisObservation> {
    this.#forget(options);
    const glance = options.fresh ? undefined : await this.#glance(options);
    return glance ?? this.#observeAll(options);
  }

  /**
   * What moves each second, if nothing else has moved: role, offsets and links. Undefined when the
   * whole has to be read.
   */
  async #glance(options: ObserveOptions): Promise<RedisObservation | undefined> {
    const last = this.#last;
    // What becomes of open slots is seen only in the whole.
    if (this.#hasOpenSlots()) return undefined;
    if (last === undefined || this.#glances >= GLANCES_BETWEEN_READINGS) return undefined;
    const replies = await this.#connection.pipeline(
      [
        ['INFO', 'replication'],
        ['CLUSTER', 'INFO'],
      ],
      timeoutOf(options),
    );
    const node = readInfo(textOf(replies[0]));
    const { role, masterLinkUp, connectedReplicas } = node;
    const sameLinks =
      role === last.redis.role &&
      masterLinkUp === last.redis.masterLinkUp &&
      connectedReplicas === last.redis.connectedReplicas;
    if (!sameLinks || withoutCounters(textOf(replies[1])) !== last.clusterState) return undefined;
    this.#glances += 1;
    const { replicationOffset, masterLastIoSeconds, syncInProgress } = node;
    return { ...last.redis, replicationOffset, masterLastIoSeconds, syncInProgress };
  }

  async #observeAll(options: ObserveOptions): Promise<RedisObservation> {
    const info: RedisCommand = this.#takesSections ? ['INFO', ...INFO_SECTIONS] : ['INFO'];
    const engines = this.#moveEngines === undefined ? [ENGINES_QUESTION] : [];
    const replies = await this.#connection.pipeline(
      [info, ['CLUSTER', 'INFO'], ['CLUSTER', 'NODES'], ...engines, ...this.#timingCommands()],
      timeoutOf(options),
    );
    const node = readInfo(textOf(replies[0]));
    if (engines.length > 0) this.#moveEngines = readMoveEngines(replies[3], node.product);
    this.#takesSections = compareVersions(node.version, '7.0.0') >= 0;
    this.#nofileSoft ||= this.#sources.readNofileSoft(options.pid);
    this.#last = undefined;
    this.#noteAof(node);
    if (node.loading) return this.#observeLoading(node);
    this.#readTiming(replies.slice(3 + engines.length));
    this.#reading = readClusterNodes(textOf(replies[2]), this.#reading);
    const clusterInfo = textOf(replies[1]);
    const redis = {
      ...forObservation(node),
      ...readClusterInfo(clusterInfo),
      ...this.#inForce(),
      openSlotsQuietMs: await this.#openSlots.quietMs(
        myselfOf(this.#reading),
        this.#connection,
        timeoutOf(options),
      ),
      orphanKeys: await this.#orphans.read({
        myself: myselfOf(this.#reading),
        isMaster: node.role === 'master',
        keys: node.keys,
        fresh: options.fresh,
        hidesOthers: this.#moveEngines?.includes('redis-atomic') === true,
        connection: this.#connection,
        options: timeoutOf(options),
      }),
      nodeId: this.#reading.myselfId,
      view: this.#reading.view,
    };
    this.#last = { redis, clusterState: withoutCounters(clusterInfo) };
    this.#glances = 0;
    return redis;
  }

  #hasOpenSlots(): boolean {
    return openSlotsOf(myselfOf(this.#reading)).length > 0;
  }

  #noteAof({
    aofEnabled,
    persistenceOk,
    aofRewriting,
    loading,
    syncInProgress,
  }: InfoReading): void {
    const isTakingOver = loading || syncInProgress;
    // Rewriting what is whole already leaves it whole.
    const isWhole = this.#aofWritten || !aofRewriting;
    this.#aofWritten = aofEnabled && persistenceOk && isWhole && !isTakingOver;
  }

  /** While a dataset is loaded, CLUSTER commands are refused: INFO and the files must do. */
  async #observeLoading(node: InfoReading): Promise<RedisObservation> {
    const nodeId = this.#reading?.myselfId ?? (await this.#sources.readOwnId());
    if (nodeId === '') throw new RedroverError('unavailable', 'it loads and has no node id yet');
    return {
      ...forObservation(node),
      ...readClusterInfo(''),
      ...this.#inForce(),
      nodeId,
      view: this.#reading?.view ?? EMPTY_VIEW,
    };
  }

  #forget({ pid, fresh }: ObserveOptions): void {
    if (pid !== this.#pid) {
      this.#aofWritten = false;
      this.#last = undefined;
      this.#reading = undefined;
      this.#takesSections = false;
      this.#moveEngines = undefined;
      this.#openSlots.forget();
      this.#orphans.forget();
    }
    if (pid !== this.#pid || fresh) {
      this.#timing = undefined;
      this.#nofileSoft = 0;
    }
    this.#pid = pid;
  }

  #timingCommands(): RedisCommand[] {
    this.#sinceTiming += 1;
    if (this.#timing !== undefined && this.#sinceTiming < TIMING_READ_EVERY) return [];
    // One option each: CONFIG GET takes several only from 7.0.
    return [
      ['CONFIG', 'GET', 'cluster-node-timeout'],
      ['CONFIG', 'GET', 'cluster-replica-no-failover'],
    ];
  }

  #readTiming(replies: readonly unknown[]): void {
    if (replies.length === 0) return;
    this.#timing = {
      nodeTimeoutMs: Number(valueOf(replies[0])) || 0,
      replicaNoFailover: valueOf(replies[1]) === 'yes',
    };
    this.#sinceTiming = 0;
  }

  #inForce() {
    return {
      nodeTimeoutMs: this.#timing?.nodeTimeoutMs ?? 0,
      replicaNoFailover: this.#timing?.replicaNoFailover ?? false,
      nofileSoft: this.#nofileSoft,
      moveEngines: this.#moveEngines ?? ['migrate'],
      openSlotsQuietMs: 0,
      orphanKeys: undefined,
    };
  }
}

function myselfOf(reading: ClusterNodesReading | undefined): ViewNode | undefined {
  return reading?.view.nodes.find(({ nodeId }) => nodeId === reading.myselfId);
}

function timeoutOf({ timeoutMs }: ObserveOptions): { timeoutMs?: number } {
  return timeoutMs === undefined ? {} : { timeoutMs };
}

/** CLUSTER INFO without its message counters, which come last and move all the time. */
function withoutCounters(text: string): string {
  const counters = text.indexOf('cluster_stats_');
  return counters === -1 ? text : text.slice(0, counters);
}

function forObservation(info: InfoReading): Omit<InfoReading, 'product' | 'aofRewriting'> {
  const { product: _, aofRewriting: __, ...rest } = info;
  return rest;
}

function textOf(reply: unknown): string {
  if (reply instanceof RedroverError) {
    // Refused while loading: INFO, the first of the replies, says so and is answered.
    if (reply.context['reply'] === 'LOADING') return '';
    throw reply;
  }
  return typeof reply === 'string' ? reply : '';
}

/** A CONFIG GET reply is `[name, value]`. */
function valueOf(reply: unknown): string {
  if (reply instanceof RedroverError) throw reply;
  return Array.isArray(reply) ? String(reply[1] ?? '') : '';
}
