/**
 * A running cluster of four shards, the fourth of them without slots, and how slots get there and back: by Redrover,
 * or by the server's own command line client. What is timed, and how often, is `reshard.ts`'s business.
 */
import { clusterSpecToProto, moveOptionsToProto, reshardToProto } from '@redrover/wire';
import {
  DEFAULT_MOVE_OPTIONS,
  RedroverError,
  SLOT_COUNT,
  type ClusterSpec,
  type MoveOptions,
} from '@redrover/core';
import type { Api, LocalStack } from '@redrover/cli';
import { AttemptOutcome, OperationState } from '@redrover/proto';
import { execa } from 'execa';
import { setTimeout as delay } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';

import { uploadRelease, type BuiltRelease } from '../support/built-release.ts';
import { until } from '../support/until.ts';
import { prepareStack } from './bench-stack.ts';

export interface ReshardSetup {
  readonly release: BuiltRelease;
  readonly replicas: number;
}

/** Both clocks of one move. */
export interface Timing {
  /** From the approved plan to the verified end of the operation; of a client, from its start to its end. */
  readonly totalMs: number;
  /** From the first to the last moment at which a mover was at work; of a client, the same as the total. */
  readonly movingMs: number;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

const CLUSTER = 'bench';
const SHARDS = 4;
/** Sent together while loading. */
const LOAD_BATCH = 5_000;
const CLIENT_TIMEOUT_MS = 600_000;
const LOOK_EVERY_MS = 5;
/** Each takes some tenths of a second, and news of a move has reached the controller after one or two. */
const MAX_PLANS = 20;

interface Begun {
  readonly id: string;
  /** When its plan was approved. */
  readonly startTick: number;
}

export class ReshardCluster {
  readonly #stack: LocalStack;
  readonly #api: Api;
  readonly #cleanUp: () => Promise<void>;
  readonly release: BuiltRelease;
  #password = '';
  #masters: Address[] = [];

  private constructor(stack: LocalStack, release: BuiltRelease, cleanUp: () => Promise<void>) {
    this.#stack = stack;
    this.#api = stack.connect();
    this.release = release;
    this.#cleanUp = cleanUp;
  }

  static async start({ release, replicas }: ReshardSetup): Promise<ReshardCluster> {
    const { stack, end } = await prepareStack(
      Array.from({ length: SHARDS + 1 }, (_, index) => `127.0.2.${index + 1}`),
    );
    try {
      await stack.start();
      const cluster = new ReshardCluster(stack, release, end);
      await uploadRelease(cluster.#api, release);
      await cluster.#create(replicas);
      return cluster;
    } catch (error) {
      await end();
      throw error;
    }
  }

  get access(): { readonly nodes: readonly Address[]; readonly password: string } {
    return { nodes: this.#masters, password: this.#password };
  }

  agentPids(): number[] {
    return Array.from(
      { length: SHARDS + 1 },
      (_, index) => this.#stack.agentProcess(`h${index + 1}`)?.pid ?? [],
    ).flat();
  }

  /** One, or none where it is not running. */
  controllerPids(): number[] {
    const { pid } = this.#stack.controllerProcess() ?? {};
    return pid === undefined ? [] : [pid];
  }

  async stop(): Promise<void> {
    await this.#cleanUp();
  }

  /** Gives the fourth shard its share, `by` Redrover. */
  async giveShare(move: Partial<MoveOptions>): Promise<Timing> {
    return this.#reshard({}, move);
  }

  /** Takes it away again, as fast as may be. */
  async drain(): Promise<void> {
    await this.#reshard({ s4: 0 }, { pace: 'fast' });
  }

  /** `--cluster rebalance` of the server's own client, until it returns. */
  async giveByClient(args: readonly string[]): Promise<Timing> {
    const [first] = this.#masters;
    const address = `${first?.host}:${first?.port}`;
    const startTick = performance.now();
    await execa(
      this.release.cli,
      ['--cluster', 'rebalance', address, '--cluster-use-empty-masters', ...args],
      { timeout: CLIENT_TIMEOUT_MS, env: { REDISCLI_AUTH: this.#password } },
    );
    const totalMs = performance.now() - startTick;
    await this.#agree();
    return { totalMs, movingMs: totalMs };
  }

  /** Three bare `CLUSTER MIGRATION IMPORT`s, one after another, each until both ends say that it is done. */
  async giveByImport(): Promise<Timing> {
    const startTick = performance.now();
    const clients = await this.#connect();
    try {
      const target = clients.at(-1) as Redis;
      for (const source of clients.slice(0, -1)) {
        const [start, end] = await lastSlots(source, SLOT_COUNT / SHARDS / (SHARDS - 1));
        const id = String(await target.call('CLUSTER', 'MIGRATION', 'IMPORT', start, end));
        await bothCompleted([target, source], id);
      }
    } finally {
      for (const client of clients) client.disconnect();
    }
    const totalMs = performance.now() - startTick;
    await this.#agree();
    return { totalMs, movingMs: totalMs };
  }

  /** `count` strings of `bytes` bytes, spread over all slots; what was there before is gone. */
  async load(count: number, bytes: number): Promise<void> {
    const clients = await this.#connect();
    await Promise.all(clients.map((client) => client.flushall()));
    for (const client of clients) client.disconnect();
    const cluster = new Cluster(this.#masters, {
      redisOptions: { password: this.#password },
      enableAutoPipelining: true,
    });
    const value = 'x'.repeat(bytes);
    try {
      for (let from = 0; from < count; from += LOAD_BATCH) {
        const size = Math.min(LOAD_BATCH, count - from);
        const sets = Array.from({ length: size }, (_, index) =>
          cluster.set(`key:${from + index}`, value),
        );
        await Promise.all(sets);
      }
    } finally {
      cluster.disconnect();
    }
  }

  /** Keys of all masters together. */
  async countKeys(): Promise<number> {
    const clients = await this.#connect();
    try {
      const counts = await Promise.all(clients.map((client) => client.dbsize()));
      return counts.reduce((sum, count) => sum + count, 0);
    } finally {
      for (const client of clients) client.disconnect();
    }
  }

  async #connect(): Promise<Redis[]> {
    const clients = this.#masters.map(
      (address) =>
        new Redis({ ...address, password: this.#password, lazyConnect: true, retryStrategy: null }),
    );
    await Promise.all(clients.map((client) => client.connect()));
    return clients;
  }

  async #create(replicas: number): Promise<void> {
    const spec = clusterSpecToProto(specOf(this.release.name, replicas));
    const { result } = await this.#api.clusters.planCluster({ spec });
    if (result.case !== 'plan') throw new Error(`refused: ${JSON.stringify(result.value)}`);
    const { fingerprint, layout } = result.value;
    const { operation } = await this.#api.clusters.applyCluster({ spec, fingerprint });
    await this.#watch(operation?.id ?? '');
    this.#password = (await this.#api.clusters.getCredentials({ cluster: CLUSTER })).password;
    const masters = (layout?.nodes ?? []).filter((node) => node.configEpoch > 0);
    this.#masters = masters.map((node) => ({ host: node.address, port: node.port }));
  }

  async #reshard(
    weights: Readonly<Record<string, number>>,
    options: Partial<MoveOptions>,
  ): Promise<Timing> {
    const change = reshardToProto({ kind: 'rebalance', by: 'slots', weights });
    const move = moveOptionsToProto({ ...DEFAULT_MOVE_OPTIONS, ...options });
    const { id, startTick } = await this.#begin(change, move);
    await this.#watch(id);
    const totalMs = performance.now() - startTick;
    return { totalMs, movingMs: await this.#movingMs(id) };
  }

  /** A plan that news of the move before has overtaken is made anew, as a person would. */
  async #begin(
    change: ReturnType<typeof reshardToProto>,
    move: ReturnType<typeof moveOptionsToProto>,
  ): Promise<Begun> {
    const request = { cluster: CLUSTER, change, move };
    for (let tries = 1; ; tries += 1) {
      const { result } = await this.#api.clusters.planReshard(request);
      if (result.case !== 'plan') throw new Error(`refused: ${JSON.stringify(result.value)}`);
      const { fingerprint } = result.value;
      const startTick = performance.now();
      try {
        const { operation } = await this.#api.clusters.reshardCluster({ ...request, fingerprint });
        if (operation === undefined) throw new Error('there was nothing to move');
        return { id: operation.id, startTick };
      } catch (thrown) {
        const isStale = thrown instanceof RedroverError && thrown.code === 'stale-plan';
        if (!isStale || tries >= MAX_PLANS) throw thrown;
      }
    }
  }

  async #movingMs(operation: string): Promise<number> {
    const { attempts } = await this.#api.operations.getOperation({ operation });
    const moves = attempts.filter(({ stepKey }) => stepKey.startsWith('moveSlots '));
    const failed = moves.filter(({ outcome }) => outcome === AttemptOutcome.FAILED);
    if (failed.length > 0) throw new Error(`a move failed: ${failed[0]?.message}`);
    const starts = moves.map(({ startedAt }) => millis(startedAt));
    const ends = moves.map(({ endedAt }) => millis(endedAt));
    return Math.max(...ends) - Math.min(...starts);
  }

  async #watch(operation: string): Promise<void> {
    for await (const { event } of this.#api.operations.watchOperation({ operation })) {
      if (event.case !== 'operation' || event.value.endedAt === undefined) continue;
      if (event.value.state === OperationState.DONE) return;
      throw new Error(`the operation did not end well: ${event.value.message}`);
    }
  }

  /** Until every master names the same owners, so that the next run does not begin in the gossip of this one. */
  async #agree(): Promise<void> {
    const clients = await this.#connect();
    try {
      await until('the masters agree', async () => {
        const maps = await Promise.all(clients.map(slotMap));
        return new Set(maps).size === 1;
      });
    } finally {
      for (const client of clients) client.disconnect();
    }
  }
}

function specOf(release: string, replicas: number): ClusterSpec {
  return {
    name: CLUSTER,
    release,
    shards: SHARDS,
    replicas,
    placement: {
      hosts: [],
      basePort: 22_000,
      zoneLabel: 'zone',
      allowSameHost: false,
      allowWeakQuorum: false,
    },
    nodes: [],
    maxmemoryBytes: undefined,
    nodeTimeoutMs: 5_000,
    repair: 'manual',
    repairQuietMs: 300_000,
    config: {},
  };
}

function millis(time: { readonly seconds: bigint; readonly nanos: number } | undefined): number {
  return Number(time?.seconds ?? 0n) * 1_000 + (time?.nanos ?? 0) / 1e6;
}

async function ownRanges(client: Redis): Promise<[number, number][]> {
  const lines = String(await client.call('CLUSTER', 'NODES')).split('\n');
  const own =
    lines
      .find((line) => line.includes('myself'))
      ?.trim()
      .split(' ')
      .slice(8) ?? [];
  return own
    .filter((range) => !range.startsWith('['))
    .map((range) => {
      const [start = '0', end = start] = range.split('-');
      return [Number(start), Number(end)];
    });
}

/** The last `count` slots of the node's last range. */
async function lastSlots(client: Redis, count: number): Promise<[number, number]> {
  const ranges = await ownRanges(client);
  const [start, end] = ranges.sort(([a, b], [c, d]) => b - a - (d - c)).at(-1) ?? [0, 0];
  return [Math.max(start, end - Math.floor(count) + 1), end];
}

async function slotMap(client: Redis): Promise<string> {
  const slots = (await client.call('CLUSTER', 'SLOTS')) as [number, number, unknown[]][];
  return JSON.stringify(slots.map(([start, end, master]) => [start, end, master[2]]).sort());
}

/** Looks often: a hundred milliseconds would be a third of what is timed. */
async function bothCompleted(ends: readonly Redis[], id: string): Promise<void> {
  const deadlineTick = performance.now() + CLIENT_TIMEOUT_MS;
  while (performance.now() < deadlineTick) {
    const states = await Promise.all(ends.map((end) => importState(end, id)));
    if (states.every((state) => state === 'completed')) return;
    await delay(LOOK_EVERY_MS);
  }
  throw new Error(`import ${id} did not complete`);
}

async function importState(client: Redis, id: string): Promise<string> {
  const reply = (await client.call('CLUSTER', 'MIGRATION', 'STATUS', 'ID', id)) as unknown[];
  const fields = (Array.isArray(reply[0]) ? reply[0] : reply) as unknown[];
  const at = fields.indexOf('state');
  const state = fields[at + 1];
  return typeof state === 'string' ? state : '';
}
