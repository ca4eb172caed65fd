/** One node of this host as a whole: its files, its process, its connection, and how it is observed. */
import type { NodeObservation, RedisObservation } from '@redrover/core';
import type { LastSeen, NodeRecord, PeerAddress } from '../nodes/node-record.ts';
import type { NodePaths } from '../nodes/paths.ts';
import { NodeConnection } from '../redis/node-connection.ts';
import { NodeObserver } from '../redis/observe.ts';
import { ElectionMemory } from './election-memory.ts';
import { readWrittenView } from './identity.ts';
import { NodeSupervisor, type SupervisorOptions } from './node-supervisor.ts';
import { FilesWatch, observeAnswering, observeSilent } from './observe-process.ts';
import { readNofileSoft } from './processes.ts';
import { TimingGuard } from './timing-guard.ts';

export interface ObserveNodeOptions {
  /** Reads again what changes rarely. */
  readonly fresh: boolean;
  /** For the node's answer; default 1000 ms, the time between two heartbeats. */
  readonly timeoutMs?: number;
}

const OBSERVE_TIMEOUT_MS = 1_000;
/** Of a thousand nodes a few are enough to ask, and to write down each time that roles change. */
const MAX_PEERS_KEPT = 16;

export class AgentNode {
  readonly paths: NodePaths;
  readonly connection: NodeConnection;
  readonly supervisor: NodeSupervisor;
  readonly timing: TimingGuard;
  readonly elections = new ElectionMemory();
  readonly #observer: NodeObserver;
  readonly #files = new FilesWatch();
  readonly #host: string;
  readonly #now: () => number;
  #kept: { readonly redis: RedisObservation; readonly aofWritten: boolean } | undefined;

  constructor(record: NodeRecord, paths: NodePaths, options: SupervisorOptions) {
    const { key, plan, port, password } = record;
    this.paths = paths;
    this.connection = new NodeConnection({ key, address: plan.node.address, port, password });
    this.supervisor = new NodeSupervisor(record, paths, this.connection, options);
    const { supervisor, connection } = this;
    this.timing = new TimingGuard({
      key,
      plan: () => this.record.plan,
      isUp: () => supervisor.process !== undefined,
      connection,
      queue: supervisor.queue,
      log: options.log,
    });
    this.#observer = new NodeObserver(this.connection, {
      readNofileSoft,
      readOwnId: async () => (await readWrittenView(paths))?.myself.nodeId ?? '',
    });
    this.#host = plan.node.host;
    this.#now = options.now;
  }

  get record(): NodeRecord {
    return this.supervisor.record;
  }

  /** Never throws because of the node's state: one that does not answer has no `redis`. */
  async observe(options: ObserveNodeOptions): Promise<NodeObservation> {
    const redis = await this.#observeRedis(options);
    const { record, paths } = this;
    const seen = { record, paths, status: this.supervisor.describe() };
    const process =
      redis === undefined
        ? await observeSilent(seen)
        : observeAnswering(seen, await this.#files.look(paths, options.fresh));
    const { key, port } = record;
    return { key, host: this.#host, port, observedAtMs: this.#now(), process, redis };
  }

  /** Each second it is the same: only what differs from what was kept is looked at closer. */
  async #note(redis: RedisObservation): Promise<void> {
    const { aofWritten } = this.#observer;
    const kept = this.#kept;
    const isKept = kept?.aofWritten === aofWritten && saysTheSame(kept.redis, redis);
    const seen = isKept ? undefined : lastSeenOf(redis, aofWritten);
    const { loading } = redis;
    const done = await this.supervisor.noteAnswer(true, { seen, loading });
    // On a full disk it is tried again with the next observation.
    if (done && !loading) this.#kept = { redis, aofWritten };
  }

  async #observeRedis(options: ObserveNodeOptions): Promise<RedisObservation | undefined> {
    const pid = this.supervisor.process?.pid;
    if (pid === undefined) return undefined;
    const { fresh, timeoutMs = OBSERVE_TIMEOUT_MS } = options;
    try {
      const redis = await this.#observer.observe({ pid, fresh, timeoutMs });
      this.elections.note(redis, pid);
      await this.#note(redis);
      return redis;
    } catch {
      // Not answering is a state of the node, which the supervisor names.
      await this.supervisor.noteAnswer(false);
      return undefined;
    }
  }
}

/** Whether a later observation says the same, as far as it is kept. */
function saysTheSame(a: RedisObservation, b: RedisObservation): boolean {
  return (
    a.view === b.view &&
    a.role === b.role &&
    a.nodeId === b.nodeId &&
    a.configEpoch === b.configEpoch
  );
}

/** Undefined while it loads: then it does not say what it is. */
function lastSeenOf(redis: RedisObservation, aofWritten: boolean): LastSeen | undefined {
  if (redis.loading) return undefined;
  const own = redis.view.nodes.find((node) => node.nodeId === redis.nodeId);
  const others = redis.view.nodes.filter((node) => node.nodeId !== redis.nodeId);
  const isOwnReplica = (node: { masterId: string }) => node.masterId === redis.nodeId;
  const addresses = (nodes: typeof others): PeerAddress[] =>
    nodes.slice(0, MAX_PEERS_KEPT).map(({ nodeId, address, port }) => ({ nodeId, address, port }));
  return {
    nodeId: redis.nodeId,
    role: redis.role,
    slots: own?.slots ?? [],
    configEpoch: redis.configEpoch,
    aofWritten,
    replicas: addresses(others.filter(isOwnReplica)),
    peers: addresses(others.filter((node) => !isOwnReplica(node))),
  };
}
