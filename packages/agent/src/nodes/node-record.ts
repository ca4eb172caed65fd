/**
 * What the agent remembers of each node across its own restarts: what it should do, the process it
 * started, and what was last seen. Secret: it holds the password the agent connects with.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodeKey, NodePlan, NodeRole, SlotRange } from '@redrover/core';
import {
  ensureDirectory,
  errnoOf,
  readIfPresent,
  syncDirectory,
  writeDurableFile,
} from '../files/durable-file.ts';
import type { NodeBuild } from './marker.ts';

/** `run` survives everything but a step that says otherwise; `prepared`: never started yet. */
export type DesiredState = 'prepared' | 'run' | 'stopped';

/** Names one process for ever: pids are used again, start times after a reboot as well. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat, clock ticks since boot. */
  readonly startTicks: string;
  /** /proc/sys/kernel/random/boot_id. */
  readonly bootId: string;
  readonly startedAtMs: number;
  /** Of the config that it was started with, which may not be the one on disk; older records lack it. */
  readonly reachedAt?: ReachedAt | undefined;
}

export interface ReachedAt {
  readonly address: string;
  readonly password: string;
}

export interface PeerAddress {
  readonly nodeId: string;
  readonly address: string;
  readonly port: number;
}

/** What the stale-master guard must know when the node itself can no longer say it. */
export interface LastSeen {
  readonly nodeId: string;
  readonly role: NodeRole;
  readonly slots: readonly SlotRange[];
  readonly configEpoch: number;
  /** The AOF was on and whole, and its last write had succeeded. */
  readonly aofWritten: boolean;
  readonly replicas: readonly PeerAddress[];
  /** Some other nodes, replicas left out: whom to ask. */
  readonly peers: readonly PeerAddress[];
}

/**
 * `aof`: its AOF was complete and synced; `rdb`: a snapshot was written. `unloaded`: it ran without the
 * AOF that its config loads, so a start would bring back an older state.
 */
export type CleanStop = 'aof' | 'rdb' | 'unloaded' | false;

export interface NodeRecord {
  readonly format: 1;
  readonly key: NodeKey;
  readonly port: number;
  readonly cluster: string;
  readonly clusterId: string;
  readonly layoutNumber: number;
  readonly planHash: string;
  readonly plan: NodePlan;
  readonly build: NodeBuild;
  readonly password: string;
  readonly desired: DesiredState;
  readonly process: ProcessIdentity | undefined;
  readonly lastSeen: LastSeen | undefined;
  /** What was last seen before the directory was made anew, as long as the new node has not answered. */
  readonly former?: LastSeen | undefined;
  /** Where the server put its whole state when it was asked to stop; false: nowhere. */
  readonly cleanStop: CleanStop;
}

/** The records as files, one per port, each written durably. */
export class NodeRecords {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** All records; a file that cannot be read is returned by name, for the caller to warn of. */
  async load(): Promise<{ records: NodeRecord[]; unreadable: string[] }> {
    await ensureDirectory(this.#directory, { mode: 0o700 });
    const records: NodeRecord[] = [];
    const unreadable: string[] = [];
    for (const name of (await readdir(this.#directory)).sort()) {
      if (!/^\d+\.json$/.test(name)) continue;
      // One bad block must not keep the agent from all other nodes.
      const text = await readIfPresent(join(this.#directory, name)).catch(() => undefined);
      const record = parseRecord(text);
      if (record === undefined) unreadable.push(join(this.#directory, name));
      else records.push(record);
    }
    return { records, unreadable };
  }

  async save(record: NodeRecord): Promise<void> {
    await writeDurableFile(this.#path(record.port), `${JSON.stringify(record)}\n`);
  }

  async remove(port: number): Promise<void> {
    await rm(this.#path(port), { force: true });
    try {
      await syncDirectory(this.#directory);
    } catch (thrown) {
      // Without the directory there is no record left either.
      if (errnoOf(thrown) !== 'ENOENT') throw thrown;
    }
  }

  #path(port: number): string {
    return join(this.#directory, `${port}.json`);
  }
}

function parseRecord(text: string | undefined): NodeRecord | undefined {
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as Partial<NodeRecord> | null;
    const complete =
      value?.format === 1 &&
      typeof value.key === 'string' &&
      typeof value.port === 'number' &&
      typeof value.password === 'string' &&
      typeof value.build?.server === 'string' &&
      typeof value.plan?.node?.address === 'string';
    return complete ? (value as NodeRecord) : undefined;
  } catch {
    // Not JSON: reported by name as unreadable.
    return undefined;
  }
}
