/** Moving slots between the nodes of a small cluster through an agent, and asking the nodes themselves what came of it. */
import {
  countSlots,
  DEFAULT_MOVE_OPTIONS,
  type MoveEnd,
  type MoveEngine,
  type MoveOptions,
  type MoveReport,
  type MoveSlotsStep,
  type SlotRange,
} from '@redrover/core';
import type { CommandResult } from '@redrover/proto';
import { commandErrorFromProto, moveReportFromProto } from '@redrover/wire';
import { Redis } from 'ioredis';

import { until } from '../../support/until.ts';
import { PASSWORD, type AgentHarness } from './agent-harness.ts';
import type { SentCommand } from './scripted-controller.ts';

export interface MoveRequest {
  readonly engine: MoveEngine;
  readonly source: number;
  readonly target: number;
  readonly slots: readonly SlotRange[];
  readonly options?: Partial<MoveOptions>;
  /** That the agent reckons with; default 2000. */
  readonly nodeTimeoutMs?: number;
}

export interface MoveEnded {
  readonly report: MoveReport | undefined;
  /** Code and message; undefined if it did not fail. */
  readonly error: { readonly code: string; readonly message: string } | undefined;
}

export class MovingCluster {
  readonly #harness: AgentHarness;
  readonly #ports: readonly number[];
  readonly #clients = new Map<number, Redis>();

  constructor(harness: AgentHarness, ports: readonly number[]) {
    this.#harness = harness;
    this.#ports = ports;
  }

  client(port: number): Redis {
    const known = this.#clients.get(port);
    if (known !== undefined) return known;
    const { address: host } = this.#harness;
    const client = new Redis({
      host,
      port,
      password: PASSWORD,
      protocol: 2,
      maxRetriesPerRequest: 0,
    });
    client.on('error', () => {});
    this.#clients.set(port, client);
    return client;
  }

  close(): void {
    for (const client of this.#clients.values()) client.disconnect();
    this.#clients.clear();
  }

  /** From what the nodes say now: ends by id, replicas of both, and the other masters. */
  async step({
    engine,
    source,
    target,
    slots,
    options,
    nodeTimeoutMs = 2_000,
  }: MoveRequest): Promise<MoveSlotsStep> {
    const { host, controller } = this.#harness;
    const keys = this.#ports.map((port) => this.#harness.key(port));
    const seen = await until(`${source} and ${target} to answer`, async () => {
      const all = await controller.observe(keys);
      const answers = (port: number) => all.some((each) => each.port === port && each.redis);
      return answers(source) && answers(target) && all;
    });
    const ends = seen.flatMap((node) => {
      const { redis, key, port } = node;
      // A silent one takes no part; if it is an end, that is said below.
      if (redis === undefined) return [];
      const own = redis.view.nodes.find(({ nodeId }) => nodeId === redis.nodeId);
      const end: MoveEnd = {
        node: key,
        nodeId: redis.nodeId,
        address: this.#harness.address,
        port,
      };
      return [{ end, masterId: own?.masterId ?? '' }];
    });
    const endOf = (port: number): MoveEnd => {
      const found = ends.find(({ end }) => end.port === port);
      if (found === undefined) throw new Error(`no node answers on ${port}`);
      return found.end;
    };
    const [from, to] = [endOf(source), endOf(target)];
    const replicasOf = ({ nodeId }: MoveEnd) =>
      ends.filter(({ masterId }) => masterId === nodeId).map(({ end }) => end);
    const driving = engine === 'redis-atomic' ? to : from;
    return {
      kind: 'moveSlots',
      host,
      node: driving.node,
      engine,
      source: from,
      target: to,
      slots,
      sourceReplicas: replicasOf(from),
      targetReplicas: replicasOf(to),
      otherMasters: ends
        .filter(({ masterId, end }) => masterId === '' && end !== from && end !== to)
        .map(({ end }) => end),
      nodeTimeoutMs,
      options: { ...DEFAULT_MOVE_OPTIONS, ...options, engine },
    };
  }

  async begin(request: MoveRequest, timeoutMs = 100_000): Promise<SentCommand> {
    const { controller } = this.#harness;
    return controller.send(controller.stepCommand(await this.step(request)), timeoutMs);
  }

  async move(request: MoveRequest): Promise<MoveEnded> {
    return ended(await (await this.begin(request)).result);
  }

  /** Each master's slots, in its own words. */
  async slotsOf(port: number): Promise<number> {
    const [seen] = await this.#harness.controller.observe([this.#harness.key(port)]);
    const { redis } = seen ?? {};
    const own = redis?.view.nodes.find(({ nodeId }) => nodeId === redis.nodeId);
    return countSlots(own?.slots ?? []);
  }

  /** Waits until the nodes agree on everything, and all slots have an owner. */
  async untilAgreed(ports = this.#ports): Promise<void> {
    const keys = ports.map((port) => this.#harness.key(port));
    await until('all nodes to agree', async () => {
      const seen = await this.#harness.controller.observe(keys);
      const owners = seen.map(({ redis }) =>
        JSON.stringify(redis?.view.nodes.map(({ nodeId, slots }) => [nodeId, slots])),
      );
      return (
        new Set(owners).size === 1 &&
        seen.every(({ redis }) => redis?.clusterState === 'ok' && redis.slotsAssigned === 16_384)
      );
    });
  }

  /** Keys of `fill` that a node has. */
  async keys(port: number): Promise<number> {
    return this.client(port).dbsize();
  }

  /** Writes keys into the master's own slots, which are those of the tags. */
  async fill(port: number, count: number, options: FillOptions): Promise<void> {
    const { tags, value = 'v'.repeat(100) } = options;
    const client = this.client(port);
    for (let start = 0; start < count; start += FILL_AT_ONCE) {
      const batch = client.pipeline();
      for (let index = start; index < Math.min(count, start + FILL_AT_ONCE); index += 1) {
        batch.set(`{${tags[index % tags.length]}}${index}`, value);
      }
      const replies = (await batch.exec()) ?? [];
      const failed = replies.find(([error]) => error !== null);
      if (failed !== undefined) throw failed[0] as Error;
    }
  }
}

export interface FillOptions {
  readonly tags: readonly string[];
  readonly value?: string;
}

const FILL_AT_ONCE = 10_000;

export function ended({ error, result }: CommandResult): MoveEnded {
  if (error !== undefined) {
    const { code, message } = commandErrorFromProto(error);
    return {
      report: error.move === undefined ? undefined : moveReportFromProto(error.move),
      error: { code, message },
    };
  }
  if (result.case !== 'step') throw new Error(`a step was answered with ${result.case}`);
  const { move } = result.value;
  return { report: move === undefined ? undefined : moveReportFromProto(move), error: undefined };
}
