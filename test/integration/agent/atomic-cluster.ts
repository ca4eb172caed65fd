/**
 * A cluster for tests of the engines where the servers move slots: a quarter of what 7001 has goes to 7002. It
 * can be put back to how it was, so that tests need not make one each.
 */
import type { MoveEngine, SlotRange } from '@redrover/core';
import { setTimeout as delay } from 'node:timers/promises';

import type { BuiltRelease } from '../../support/built-release.ts';
import { until } from '../../support/until.ts';
import { askWitness } from '../../support/witness.ts';
import { AgentHarness, PASSWORD } from './agent-harness.ts';
import { createCluster, type SmallCluster } from './cluster.ts';
import { LiveWriter } from './live-writer.ts';
import { MovingCluster, type MoveRequest } from './moving-cluster.ts';

const PORTS = { masters: [7001, 7002, 7003], replicas: { 7011: 7001, 7012: 7002 } };
export const ALL = [7001, 7002, 7003, 7011, 7012];
/** A quarter of what 7001 has, 0 to 5460. */
export const SLOTS: readonly SlotRange[] = [
  { start: 2800, end: 3999 },
  { start: 100, end: 264 },
];
export const SLOT_COUNT = 1365;
/** Of 7002, before anything moves. */
export const OWN_SLOTS = 5462;
/** Of slots 3300, 247 and 3937, which all move. */
export const TAGS = ['b', '10', '43'];
const DEFAULT_LIMIT = 'normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60';
/** A whole migration may be over in a few tenths of a second. */
const LOOK_EVERY_MS = 5;
const AT_WORK_WITHIN_MS = 30_000;

export class AtomicCluster {
  readonly engine: MoveEngine;
  readonly harness: AgentHarness;
  readonly moving: MovingCluster;
  readonly #release: BuiltRelease;
  readonly #writers: LiveWriter[] = [];

  private constructor(engine: MoveEngine, release: BuiltRelease, harness: AgentHarness) {
    this.engine = engine;
    this.harness = harness;
    this.moving = new MovingCluster(harness, ALL);
    this.#release = release;
  }

  static async start(
    engine: MoveEngine,
    release: BuiltRelease,
    options: Pick<SmallCluster, 'config' | 'nodeTimeoutMs'> = {},
  ): Promise<AtomicCluster> {
    const harness = await AgentHarness.start({ release });
    try {
      await createCluster(harness, { ...PORTS, ...options });
      return new AtomicCluster(engine, release, harness);
    } catch (error) {
      await harness.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    for (const writer of this.#writers.splice(0)) writer.disconnect();
    this.moving.close();
    await this.harness.stop();
  }

  request(change: Partial<MoveRequest> = {}): MoveRequest {
    return { engine: this.engine, source: 7001, target: 7002, slots: SLOTS, ...change };
  }

  /** Writes from now on, and has written something. */
  async startWriter(): Promise<LiveWriter> {
    const { address } = this.harness;
    const writer = new LiveWriter({ address, port: 7001, password: PASSWORD });
    this.#writers.push(writer);
    await until('some writes', () => writer.acknowledged > 100);
    return writer;
  }

  /** Without keys, functions and limits, and with the slots where they were. */
  async putBack(): Promise<void> {
    for (const writer of this.#writers.splice(0)) writer.disconnect();
    for (const port of PORTS.masters) {
      const client = this.moving.client(port);
      await client.flushall();
      await client.function('FLUSH');
      await client.config('SET', 'maxmemory', 0);
    }
    if ((await this.moving.slotsOf(7002)) !== OWN_SLOTS) {
      const { error } = await this.moving.move(this.request({ source: 7002, target: 7001 }));
      if (error !== undefined) throw new Error(`slots do not go back: ${error.message}`);
    }
    await this.moving.untilAgreed();
  }

  async expectHealthy(): Promise<void> {
    const { address } = this.harness;
    await until("the server's own client to be content", async () => {
      const verdict = await askWitness({
        address,
        port: 7001,
        password: PASSWORD,
        client: this.#release.cli,
      });
      if (!verdict.ok) throw new Error(verdict.text);
      return true;
    });
  }

  /** How many slot migrations a node has at work, in its own words. */
  async tasks(port = 7001): Promise<number> {
    const question =
      this.engine === 'redis-atomic' ? ['MIGRATION', 'STATUS', 'ALL'] : ['GETSLOTMIGRATIONS'];
    const all = (await this.moving.client(port).call('CLUSTER', ...question)) as string[][];
    const over = ['completed', 'success', 'failed', 'cancelled', 'canceled'];
    return all.filter((fields) => !over.includes(fields[fields.indexOf('state') + 1] ?? '')).length;
  }

  /** Looks often: whoever wants to strike in the middle has little time. */
  async untilAtWork(port = 7001): Promise<void> {
    const deadlineMs = performance.now() + AT_WORK_WITHIN_MS;
    while ((await this.tasks(port)) === 0) {
      if (performance.now() > deadlineMs) throw new Error('the servers do not begin');
      await delay(LOOK_EVERY_MS);
    }
  }

  /** As a person might, at the end that is in charge. */
  async cancelAll(): Promise<void> {
    if (this.engine === 'redis-atomic') {
      await this.moving.client(7002).call('CLUSTER', 'MIGRATION', 'CANCEL', 'ALL');
      return;
    }
    // Refused while there is none.
    await this.moving
      .client(7001)
      .call('CLUSTER', 'CANCELSLOTMIGRATIONS')
      .catch(() => {});
  }

  /** Whether the source's limit of output buffers is what it was. */
  async hasDefaultLimit(): Promise<boolean> {
    const [, value = ''] = (await this.moving
      .client(7001)
      .call('CONFIG', 'GET', 'client-output-buffer-limit')) as string[];
    return value === DEFAULT_LIMIT;
  }
}
