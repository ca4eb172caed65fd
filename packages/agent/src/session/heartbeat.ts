/** What the agent reports each second: cheap to take, small to send. */
import { statfs } from 'node:fs/promises';
import { loadavg } from 'node:os';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { InstalledBuild, NodeObservation } from '@redrover/core';
import type { HeartbeatSchema } from '@redrover/proto';
import {
  installedBuildToProto,
  moverToProto,
  nodeObservationToProto,
  timestampToProto,
} from '@redrover/wire';
import type { Builder } from '../build/builder.ts';
import type { MoveDesk } from '../migrate/move-desk.ts';
import type { NodeRegistry } from '../supervise/node-registry.ts';
import { readListeningPorts } from './listening-ports.ts';

/** Of what costs more to read than it changes: disk, ports, builds, load, memory. */
const SLOW_READ_MS = 10_000;

interface SlowReadings {
  readonly builds: readonly InstalledBuild[];
  readonly diskFreeBytes: bigint;
  readonly usedPorts: readonly number[];
  readonly loadAverage: number;
  readonly agentRssBytes: bigint;
}

export interface HeartbeatSources {
  readonly nodes: NodeRegistry;
  readonly builder: Builder;
  readonly moves: MoveDesk;
  readonly rootDirectory: string;
  readonly address: string;
  readonly now: () => number;
}

export class HeartbeatReader {
  readonly #sources: HeartbeatSources;
  #slow: SlowReadings | undefined;
  #slowReadAtMs = 0;

  constructor(sources: HeartbeatSources) {
    this.#sources = sources;
  }

  /** Reads the rarely changing things again with the next heartbeat: a step has changed them. */
  refresh(): void {
    this.#slow = undefined;
  }

  async read(): Promise<{
    readonly message: MessageInitShape<typeof HeartbeatSchema>;
    readonly observations: readonly NodeObservation[];
  }> {
    const observations = await this.#sources.nodes.observe([], false);
    const slow = await this.#readSlow();
    const message = {
      sentAt: timestampToProto(this.#sources.now()),
      nodes: observations.map((node) => nodeObservationToProto(node, { view: 'hash' })),
      builds: slow.builds.map(installedBuildToProto),
      diskFreeBytes: slow.diskFreeBytes,
      loadAverage: slow.loadAverage,
      agentRssBytes: slow.agentRssBytes,
      usedPorts: [...slow.usedPorts],
      movers: this.#sources.moves.list().map(moverToProto),
    };
    return { message, observations };
  }

  async #readSlow(): Promise<SlowReadings> {
    const ageMs = performance.now() - this.#slowReadAtMs;
    if (this.#slow !== undefined && ageMs < SLOW_READ_MS) return this.#slow;
    const { builder, rootDirectory, address } = this.#sources;
    const [builds, disk, ports] = await Promise.all([
      builder.installed(),
      statfs(rootDirectory, { bigint: true }),
      readListeningPorts(address),
    ]);
    const own = new Set(this.#ownPorts());
    this.#slow = {
      builds,
      diskFreeBytes: disk.bavail * disk.bsize,
      usedPorts: [...ports].filter((port) => !own.has(port)).sort((a, b) => a - b),
      loadAverage: loadavg()[0] ?? 0,
      agentRssBytes: BigInt(process.memoryUsage.rss()),
    };
    this.#slowReadAtMs = performance.now();
    return this.#slow;
  }

  #ownPorts(): number[] {
    return this.#sources.nodes.list().flatMap(({ record, supervisor }) => {
      const { port, busPort } = record.plan.node;
      return supervisor.process === undefined ? [] : [port, busPort];
    });
  }
}
