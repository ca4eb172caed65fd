/**
 * A cluster whose slots are moved through the command line, for tests that look at what becomes of its data.
 * Which nodes there are, and their password, are known from the start: no controller is asked for them.
 */
import type { MoveEngine } from '@redrover/core';
import { attemptFromProto, operationFromProto } from '@redrover/wire';
import type { Attempt, Operation } from '@redrover/core';
import type { Cluster } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';

import type { BuiltRelease } from '../built-release.ts';
import { connectCluster } from '../cluster-client.ts';
import { LiveWriter, type LiveWriterOptions } from '../live-writer.ts';
import { TestStack } from '../stack.ts';
import { until } from '../until.ts';
import { askWitness } from '../witness.ts';
import {
  askCluster,
  type ClusterTruth,
  type NodeTruth,
  type RawAccess,
  type RawNode,
} from './raw-nodes.ts';

export interface MoveClusterOptions {
  readonly release: BuiltRelease;
  readonly nodeTimeoutMs: number;
  readonly shards?: number;
  readonly replicas?: number;
  readonly hosts?: number;
  readonly config?: Readonly<Record<string, string>>;
}

export interface MoveNode extends RawNode {
  /** As the product calls it. */
  readonly key: string;
  readonly hostName: string;
  readonly shard: string;
}

export interface OperationDetails {
  readonly operation: Operation;
  readonly attempts: readonly Attempt[];
  /** What it waits for, for people. */
  readonly waits: readonly string[];
}

export interface EndLimit {
  /** Default: four minutes. */
  readonly timeoutMs?: number;
  /** Tick that the time counts from, if it is later than the call: of the last kill. */
  readonly sinceTick?: () => number;
}

const NAME = 'moves';
const END_TIMEOUT_MS = 240_000;
const LOOK_EVERY_MS = 100;
const ENDED = ['done', 'failed', 'cancelled', 'needs-decision'];
/** Of the command line: the controller cannot be reached, as it may be while a test has killed it. */
const UNREACHABLE = 3;

export class MoveCluster {
  readonly name = NAME;
  readonly stack: TestStack;
  readonly release: BuiltRelease;
  readonly nodes: readonly MoveNode[];
  readonly password: string;

  private constructor(
    stack: TestStack,
    parts: Pick<MoveCluster, 'release' | 'nodes' | 'password'>,
  ) {
    this.stack = stack;
    this.release = parts.release;
    this.nodes = parts.nodes;
    this.password = parts.password;
  }

  /** Default: 3 shards of 2 nodes on 3 hosts. */
  static async start(options: MoveClusterOptions): Promise<MoveCluster> {
    const { release, nodeTimeoutMs, shards = 3, replicas = 1, hosts = 3, config = {} } = options;
    const stack = await TestStack.start({ hosts, release });
    try {
      const spec = { name: NAME, shards, replicas, nodeTimeoutMs, config };
      const file = await stack.writeSpec(spec);
      const applied = await stack.redrover(['cluster', 'apply', '-f', file, '--yes']);
      if (applied.exitCode !== 0) throw new Error(`${applied.stdout}\n${applied.stderr}`);
      const { nodes } = await stack.layout(NAME);
      const { password } = await stack.credentials(NAME);
      const known = nodes.map((node) => ({
        key: node.key,
        host: node.address,
        port: node.port,
        hostName: node.host,
        shard: node.shard,
      }));
      return new MoveCluster(stack, { release, nodes: known, password });
    } catch (error) {
      await stack.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.stack.stop();
  }

  get access(): RawAccess {
    return { nodes: this.nodes, password: this.password };
  }

  /** To be ended by the caller with `disconnect()`. */
  connect(): Cluster {
    const [first] = this.nodes;
    if (first === undefined) throw new Error('no nodes');
    return connectCluster({ address: first.host, port: first.port, password: this.password });
  }

  async write(options: Omit<LiveWriterOptions, 'nodes' | 'password'>): Promise<LiveWriter> {
    const nodes = this.nodes.map(({ host, port }) => `${host}:${port}`);
    return LiveWriter.start({ ...options, nodes, password: this.password });
  }

  async truth(): Promise<ClusterTruth> {
    return askCluster(this.access);
  }

  /** Until every node says the same, nothing is open, and no key is where it should not be. */
  async untilWhole(timeoutMs = 60_000): Promise<ClusterTruth> {
    return until(
      'a whole cluster',
      async () => {
        const truth = await this.truth();
        if (truth.faults.length > 0) throw new Error(truth.faults.join('\n'));
        const [first] = this.nodes;
        const seed = {
          address: first?.host ?? '',
          port: first?.port ?? 0,
          password: this.password,
        };
        const verdict = await askWitness({ ...seed, client: this.release.cli });
        if (!verdict.ok) throw new Error(verdict.text);
        return truth;
      },
      timeoutMs,
    );
  }

  /** Until all slots have an owner and clients are served, whatever is open, or waits for a person. */
  async untilServing(timeoutMs = 60_000): Promise<void> {
    await until(
      'every node to serve',
      async () => {
        const { nodes } = await this.truth();
        return nodes.length === this.nodes.length && nodes.every(isServing);
      },
      timeoutMs,
    );
  }

  /**
   * Begins a change of this cluster's slots and answers the operation's id; undefined if nothing was to be
   * done. A controller that is away is waited for.
   */
  async begin(...args: readonly string[]): Promise<string | undefined> {
    const [command = '', ...options] = args;
    const line = ['cluster', command, NAME, ...options, '--yes', '--detach', '-o', 'json'];
    return until(
      `redrover ${line.join(' ')}`,
      async () => {
        const { exitCode, stdout, stderr } = await this.stack.redrover(line);
        if (exitCode === UNREACHABLE) return false;
        if (exitCode !== 0 && exitCode !== 2) {
          throw new Error(`exit code ${exitCode}: ${stdout}\n${stderr}`);
        }
        const { id } = JSON.parse(stdout) as { id?: string };
        return { id };
      },
      END_TIMEOUT_MS,
    ).then(({ id }) => id);
  }

  async details(id: string): Promise<OperationDetails> {
    const answer = await this.stack.withApi((api) =>
      api.operations.getOperation({ operation: id }),
    );
    if (answer.operation === undefined) throw new Error(`no operation ${id}`);
    return {
      operation: operationFromProto(answer.operation),
      attempts: answer.attempts.map((each) => attemptFromProto(each)),
      waits: answer.waits.map(({ subject, reason }) => `${subject}: ${reason}`),
    };
  }

  /** Until it has ended, however; a controller that is away is waited for. */
  async endOf(
    id: string,
    { timeoutMs = END_TIMEOUT_MS, sinceTick = () => 0 }: EndLimit = {},
  ): Promise<OperationDetails> {
    const startTick = performance.now();
    let seen: OperationDetails | undefined;
    for (;;) {
      seen = await this.details(id).catch(() => seen);
      if (seen !== undefined && ENDED.includes(seen.operation.state)) return seen;
      if (performance.now() - Math.max(startTick, sinceTick()) > timeoutMs) {
        const waits = (seen?.waits ?? []).join('; ');
        throw new Error(`${id} has not ended in ${timeoutMs} ms; it waits for: ${waits}`);
      }
      await delay(LOOK_EVERY_MS);
    }
  }

  /** Until a `moveSlots` of the operation is under way; false if it ended before one was seen. */
  async untilMoving(id: string): Promise<boolean> {
    const seen = await until(`moves of ${id}`, async () => {
      const { operation, attempts } = await this.details(id);
      if (attempts.some(isMoving)) return 'moving';
      return ENDED.includes(operation.state) && 'ended';
    });
    return seen === 'moving';
  }
}

function isServing({ clusterState, isLinked }: NodeTruth): boolean {
  return clusterState === 'ok' && isLinked;
}

export function isMoving({ stepKey, outcome }: Attempt): boolean {
  return stepKey.startsWith('moveSlots ') && outcome === 'running';
}

/** Of a `moveSlots` attempt. */
export function pairOf({ stepKey }: Attempt): {
  source: string;
  target: string;
  engine: MoveEngine;
} {
  const [, source = '', , target = '', engine = ''] = stepKey.split(' ');
  return { source, target, engine: engine as MoveEngine };
}
