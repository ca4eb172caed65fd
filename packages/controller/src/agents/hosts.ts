/**
 * Every host that ever said hello, and what its agent said of the host itself.
 *
 * Nodes are in `observations.ts`; the stream to the agent is `agent-session.ts`'s.
 */
import { EventEmitter } from 'node:events';
import { performance } from 'node:perf_hooks';

import {
  isCutOff,
  type HostFacts,
  type HostStatus,
  type InstalledBuild,
  type MoverObservation,
} from '@redrover/core';

import type { HostRecord } from '../store/host-records.ts';
import { statusOfSilence } from './liveness.ts';

export interface KnownHost extends HostRecord {
  readonly status: HostStatus;
  readonly loadAverage: number;
  readonly agentRssBytes: number;
  /** Ports in use by something else than the agent's nodes. */
  readonly usedPorts: readonly number[];
  /** At work on the host, as its agent said last. */
  readonly movers: readonly MoverObservation[];
  /** Whether all this was ever said; an agent says hello first. */
  readonly hasBeat: boolean;
}

export type HostIdentity = Pick<HostRecord, 'name' | 'address' | 'labels' | 'facts' | 'builds'>;

export interface HostBeat {
  readonly builds: readonly InstalledBuild[];
  readonly diskFreeBytes: number;
  readonly loadAverage: number;
  readonly agentRssBytes: number;
  readonly usedPorts: readonly number[];
  readonly movers: readonly MoverObservation[];
}

interface Entry {
  identity: HostIdentity;
  beat: Omit<HostBeat, 'builds' | 'diskFreeBytes'>;
  lastSeenMs: number;
  /** On the monotonic clock: a clock that is set does not make hosts look dead. */
  lastBeatTick: number;
  saidHello: boolean;
}

const SILENT: Entry['beat'] = { loadAverage: 0, agentRssBytes: 0, usedPorts: [], movers: [] };

/** After a restart of the controller: agents dial again with growing pauses of some seconds. */
const RETURN_MS = 15_000;

/** A sweep that comes this late means that this process stood still, not that agents were silent. */
const STALL_MS = 1_000;
const SWEEP_INTERVAL_MS = 250;

/** Emits `change` with the host's name when its status or builds change. */
export class Hosts extends EventEmitter<{ change: [name: string] }> {
  readonly #entries = new Map<string, Entry>();
  readonly #statuses = new Map<string, HostStatus>();
  /** Since when this controller can hear hosts: its start, or the end of its being cut off. */
  #hearingSinceMs = Date.now();
  #wasCutOff = false;
  #sweepTick = performance.now();
  #sweep: NodeJS.Timeout | undefined;

  constructor() {
    super();
    // Each operation under way listens.
    this.setMaxListeners(0);
  }

  /** Known hosts from an earlier run count as suspect until they had time to come back. */
  remember(records: readonly HostRecord[]): void {
    const lastBeatTick = performance.now();
    for (const { lastSeenMs, ...identity } of records) {
      this.#entries.set(identity.name, {
        identity,
        beat: SILENT,
        lastSeenMs,
        lastBeatTick,
        saidHello: false,
      });
    }
  }

  startSweeping(): void {
    this.#sweep = setInterval(() => this.#sweepOnce(), SWEEP_INTERVAL_MS);
    this.#sweep.unref();
  }

  stopSweeping(): void {
    clearInterval(this.#sweep);
  }

  noteHello(identity: HostIdentity): void {
    const known = this.#entries.get(identity.name);
    this.#entries.set(identity.name, {
      identity,
      beat: known?.beat ?? SILENT,
      lastSeenMs: Date.now(),
      lastBeatTick: performance.now(),
      saidHello: true,
    });
    this.#updateStatus(identity.name);
    this.emit('change', identity.name);
  }

  /** Any message of the agent shows that it is alive; a heartbeat says more. */
  noteAlive(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    entry.lastSeenMs = Date.now();
    entry.lastBeatTick = performance.now();
    this.#updateStatus(name);
  }

  noteBeat(name: string, beat: HostBeat): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    const { builds, diskFreeBytes, ...rest } = beat;
    entry.beat = rest;
    const facts = withDiskFree(entry.identity.facts, diskFreeBytes);
    entry.identity = { ...entry.identity, facts };
    this.noteBuilds(name, builds);
    this.noteAlive(name);
  }

  noteBuilds(name: string, builds: readonly InstalledBuild[]): void {
    const entry = this.#entries.get(name);
    if (entry === undefined || sameBuilds(entry.identity.builds, builds)) return;
    entry.identity = { ...entry.identity, builds };
    this.emit('change', name);
  }

  /** What a step's result says is newer than the last heartbeat. */
  noteMovers(name: string, movers: readonly MoverObservation[]): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    entry.beat = { ...entry.beat, movers };
    this.emit('change', name);
  }

  forget(name: string): void {
    this.#entries.delete(name);
    this.#statuses.delete(name);
    this.emit('change', name);
  }

  find(name: string): KnownHost | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    const { identity, beat, lastSeenMs } = entry;
    return { ...identity, ...beat, lastSeenMs, status: statusOf(entry), hasBeat: beat !== SILENT };
  }

  /** By name. */
  list(): KnownHost[] {
    const names = [...this.#entries.keys()].sort();
    return names.flatMap((name) => this.find(name) ?? []);
  }

  /** In no order: cheap enough for each turn of each operation. */
  listStatuses(): { readonly status: HostStatus }[] {
    return [...this.#entries.values()].map((entry) => ({ status: statusOf(entry) }));
  }

  /**
   * When the host was heard of last, for deciding how long to wait for it: nobody can have been
   * heard of while the controller was down or cut off, so the wait begins when that was over.
   */
  waitingSinceMs(name: string): number {
    const entry = this.#entries.get(name);
    return entry === undefined ? 0 : Math.max(entry.lastSeenMs, this.#hearingSinceMs);
  }

  #sweepOnce(): void {
    const tick = performance.now();
    const lateMs = tick - this.#sweepTick - SWEEP_INTERVAL_MS;
    this.#sweepTick = tick;
    if (lateMs > STALL_MS) {
      // What the agents sent meanwhile has not been read yet: it must not count as silence.
      for (const entry of this.#entries.values()) entry.lastBeatTick += lateMs;
    }
    for (const name of this.#entries.keys()) this.#updateStatus(name);
    const isNowCutOff = isCutOff(this.listStatuses());
    if (this.#wasCutOff && !isNowCutOff) this.#hearingSinceMs = Date.now();
    this.#wasCutOff = isNowCutOff;
  }

  #updateStatus(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    const status = statusOf(entry);
    if (this.#statuses.get(name) === status) return;
    this.#statuses.set(name, status);
    this.emit('change', name);
  }
}

function statusOf({ saidHello, lastBeatTick }: Entry): HostStatus {
  const silenceMs = performance.now() - lastBeatTick;
  if (saidHello) return statusOfSilence(silenceMs);
  return silenceMs < RETURN_MS ? 'suspect' : 'lost';
}

function withDiskFree(facts: HostFacts | undefined, diskFreeBytes: number) {
  if (facts === undefined || diskFreeBytes === 0) return facts;
  return { ...facts, diskFreeBytes };
}

function sameBuilds(a: readonly InstalledBuild[], b: readonly InstalledBuild[]): boolean {
  return a.length === b.length && a.every((build, index) => build.id === b[index]?.id);
}
