/**
 * Keeps one node's process as it should be: started, adopted, restarted after a crash, held back, or
 * stopped. Redis' own state is read elsewhere (`redis/`), and told here by `noteAnswer`.
 *
 * The record on disk is the truth across restarts of the agent; nothing here ever stops a server
 * because the agent ends.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { RedroverError, type ProcessState } from '@redrover/core';
import type { Logger } from 'pino';
import type {
  LastSeen,
  NodeRecord,
  NodeRecords,
  ProcessIdentity,
  ReachedAt,
} from '../nodes/node-record.ts';
import type { NodePaths } from '../nodes/paths.ts';
import type { RunAs } from '../nodes/run-as.ts';
import { readNodeFile } from '../nodes/node-file.ts';
import type { NodeConnection } from '../redis/node-connection.ts';
import { decideRestart, recentCrashes } from './crash-policy.ts';
import { describeExit } from './exit-reason.ts';
import { KeptRecord } from './kept-record.ts';
import type { ExitReport, Launcher } from './launcher.ts';
import { findServer } from './find-server.ts';
import { ageMsOf, identify, isAlive } from './processes.ts';
import { stateOf, type Phase } from './phase.ts';
import { SerialQueue } from './serial-queue.ts';
import { decideStart } from './stale-master.ts';
import { gatherStartFacts, loadsAof, useUpRelease } from './start-facts.ts';
import { stopProcess, type StopOutcome } from './stop-process.ts';

export interface SupervisorOptions {
  readonly records: NodeRecords;
  /** Directory of the records, where `release-node` leaves its word. */
  readonly recordsDirectory: string;
  readonly launcher: Launcher;
  readonly user: RunAs | undefined;
  /** For what people read; waiting is measured by a clock that nobody can set. */
  readonly now: () => number;
  readonly log: Logger;
}

/** What of a node's answer matters here. */
export interface Answer {
  /** Undefined when it says nothing new, or cannot say what it is. */
  readonly seen?: LastSeen | undefined;
  /** It is reading its dataset, which may still end it. */
  readonly loading?: boolean;
}

/** What `describe` says; becomes part of a `ProcessObservation`. */
export interface ProcessStatus {
  readonly state: ProcessState;
  readonly pid: number | undefined;
  readonly startedAtMs: number | undefined;
  readonly restarts: number;
  readonly reason: string;
}

/** How often a held node's peers are asked. */
const HELD_LOOK_MS = 1_000;
/** For the kernel's word on how a child ended to arrive after the process is gone. */
const EXIT_REPORT_WAIT_MS = 300;

export class NodeSupervisor {
  /** Everything that changes the node goes through here, the supervisor's own restarts too. */
  readonly queue = new SerialQueue();
  readonly #kept: KeptRecord;
  readonly #options: SupervisorOptions;
  readonly #paths: NodePaths;
  readonly #connection: NodeConnection;
  #phase: Phase = { kind: 'down' };
  #exited: Promise<ExitReport> | undefined;
  #crashesMs: number[] = [];
  #restarts = 0;
  /** By its last answer; of a process that just began, not known. */
  #isLoading = false;
  #reason = '';

  constructor(
    record: NodeRecord,
    paths: NodePaths,
    connection: NodeConnection,
    options: SupervisorOptions,
  ) {
    this.#kept = new KeptRecord(options.records, record);
    this.#paths = paths;
    this.#connection = connection;
    this.#options = options;
  }

  get record(): NodeRecord {
    return this.#kept.current;
  }

  /** The living process; undefined if there is none. */
  get process(): ProcessIdentity | undefined {
    return this.#phase.kind === 'up' ? this.#phase.process : undefined;
  }

  /** Whether the process is there, looked at now. */
  get isUp(): boolean {
    return this.#lookAlive();
  }

  /** After a start of the agent: takes over a process that runs, or starts what should run. */
  async resume(): Promise<void> {
    if ((await this.adopt()) || this.record.desired !== 'run') return;
    this.#reason = 'was not running when the agent started';
    await this.queue.run(() => this.#startGuarded());
  }

  /** Takes over a process that runs; false if there is none. */
  async adopt(): Promise<boolean> {
    const found = findServer(this.record, this.#paths, this.#options.now());
    if (found === undefined) return false;
    const { key, process: known } = this.record;
    const startTick = performance.now() - ageMsOf(found);
    this.#phase = { kind: 'up', process: found, startTick, answering: 'not yet' };
    this.#exited = undefined;
    this.#connection.reachAt(found.reachedAt ?? this.#reachedAt());
    this.#options.log.info({ node: key, pid: found.pid }, 'took over a running node');
    if (known?.pid !== found.pid || known.startTicks !== found.startTicks) {
      await this.#kept.trySave({ process: found, cleanStop: false }, this.#options.log);
    }
    return true;
  }

  /** Starts the node on purpose; nothing happens if it runs. @throws RedroverError if it is held. */
  async start(): Promise<void> {
    await this.#kept.want('run');
    if (this.#lookAlive()) return;
    this.#crashesMs = [];
    this.#restarts = 0;
    this.#reason = '';
    await this.#startGuarded();
    if (this.#phase.kind === 'held') {
      throw new RedroverError('data-loss', `${this.record.key} is held back: ${this.#reason}`);
    }
  }

  /** Stops the node on purpose and for good; nothing happens if it is down. */
  async stop(signal?: AbortSignal): Promise<StopOutcome | undefined> {
    const before = this.record.desired;
    if (before === 'run') await this.#kept.want('stopped');
    const isUp = this.#lookAlive() || (await this.adopt());
    const identity = isUp ? this.process : undefined;
    if (identity === undefined) {
      this.#phase = { kind: 'down' };
      return undefined;
    }
    const { key } = this.record;
    try {
      const connection = this.#connection;
      const config = (await readNodeFile(this.#paths.config)) ?? '';
      const request = { key, process: identity, connection, loadsAof: loadsAof(config), signal };
      const outcome = await stopProcess(request);
      this.#phase = { kind: 'down' };
      this.#reason = `stopped by ${outcome.by}`;
      await this.#kept.save({ cleanStop: outcome.clean, process: undefined });
      return outcome;
    } catch (thrown) {
      // It still runs: then it is still supervised.
      if (isAlive(identity) && before === 'run') await this.#kept.want('run');
      throw thrown;
    }
  }

  /** Cheap; called several times a second. Work that it finds is queued. */
  tick(): void {
    const now = performance.now();
    const phase = this.#phase;
    if (!this.queue.idle) return;
    if (phase.kind === 'up' && !isAlive(phase.process)) {
      this.#inBackground(() => this.#noteExit());
    } else if (phase.kind === 'backoff' && now >= phase.untilMs) {
      this.#inBackground(() => this.#restart());
    } else if (phase.kind === 'held' && now >= phase.nextLookMs) {
      phase.nextLookMs = now + HELD_LOOK_MS;
      this.#inBackground(() => this.#startGuarded());
    }
  }

  /**
   * Whether the process answered; what it said is kept for the day when it cannot say it. False when
   * that could not be written down.
   */
  async noteAnswer(answered: boolean, { seen, loading = false }: Answer = {}): Promise<boolean> {
    if (answered) this.#isLoading = loading;
    if (this.#phase.kind === 'up') {
      const wasAnswering = this.#phase.answering !== 'not yet';
      this.#phase.answering = answered ? 'yes' : wasAnswering ? 'no' : 'not yet';
    }
    const lastSeen = seen ?? this.record.lastSeen;
    const isKnown =
      seen === undefined || JSON.stringify(lastSeen) === JSON.stringify(this.record.lastSeen);
    // A save that failed, on a full disk, is made up for as soon as it is possible.
    if (isKnown && !(answered && this.#kept.unsaved)) return true;
    return this.#kept.trySave({ lastSeen }, this.#options.log);
  }

  /** A new config, build or password was put in force on disk. */
  async replaceRecord(record: NodeRecord): Promise<void> {
    // What was seen of the node while it was being prepared is newer than what the record took over.
    const { clusterId, desired, process, lastSeen, former, cleanStop } = this.record;
    const kept = { desired, process, lastSeen, former, cleanStop };
    await this.#kept.replace(record.clusterId === clusterId ? { ...record, ...kept } : record);
  }

  /** A node that was never started takes the place of this one, whose directory is gone. */
  async beginAnew(record: NodeRecord): Promise<void> {
    await this.#kept.replace(record);
    this.#phase = { kind: 'down' };
    this.#crashesMs = [];
    this.#restarts = 0;
    this.#reason = '';
  }

  describe(): ProcessStatus {
    const identity = this.process;
    return {
      state: stateOf(this.#phase, this.record.desired),
      pid: identity?.pid,
      startedAtMs: identity?.startedAtMs,
      restarts: this.#restarts,
      reason: this.#reason,
    };
  }

  #lookAlive(): boolean {
    return this.#phase.kind === 'up' && isAlive(this.#phase.process);
  }

  async #restart(): Promise<void> {
    if (this.#phase.kind !== 'backoff' || this.record.desired !== 'run') return;
    this.#restarts += 1;
    await this.#startGuarded();
  }

  /** Starts the process unless the stale-master guard holds it back. */
  async #startGuarded(): Promise<void> {
    const { log, recordsDirectory } = this.#options;
    const { key, port } = this.record;
    if (await this.adopt()) return;
    const now = performance.now();
    const held = this.#phase.kind === 'held' ? this.#phase : undefined;
    const heldMs = held === undefined ? 0 : now - held.sinceMs;
    const question = { record: this.record, paths: this.#paths, heldMs, askPeers: true };
    let decision;
    try {
      decision = decideStart(await gatherStartFacts(question, recordsDirectory));
    } catch (thrown) {
      this.#failStart(thrown);
      throw thrown;
    }
    if (decision.kind === 'hold') {
      if (held === undefined) log.warn({ node: key, reason: decision.reason }, 'start held back');
      const nextLookMs = performance.now() + HELD_LOOK_MS;
      this.#phase = { kind: 'held', sinceMs: held?.sinceMs ?? now, nextLookMs };
      this.#reason = decision.reason;
      return;
    }
    try {
      await this.#launch();
    } catch (thrown) {
      this.#failStart(thrown);
      throw thrown;
    }
    await useUpRelease(recordsDirectory, port);
  }

  /** Like a crash: tried again, ever more rarely. */
  #failStart(thrown: unknown): void {
    this.#reason = RedroverError.from(thrown).message;
    this.#backOff();
  }

  async #launch(): Promise<void> {
    const { launcher, user, now, log } = this.#options;
    const { key, port, build } = this.record;
    const { config, directory, stdio } = this.#paths;
    const { server } = build;
    // Before it takes a first write: what it saved at its last stop is old from then on.
    if (this.record.cleanStop !== false) await this.#kept.save({ cleanStop: false });
    const reachedAt = this.#reachedAt();
    const launched = await launcher.launch({ key, port, server, config, directory, stdio, user });
    const found = identify(launched.pid, now());
    this.#exited = launched.exited;
    if (found === undefined) {
      this.#reason = await describeExit(await this.#exitReport(), this.#paths);
      throw new RedroverError('unavailable', `${key} ended at once: ${this.#reason}`);
    }
    const identity = { ...found, reachedAt };
    const startTick = performance.now();
    this.#phase = { kind: 'up', process: identity, startTick, answering: 'not yet' };
    this.#isLoading = false;
    this.#connection.reachAt(reachedAt);
    log.info({ node: key, pid: identity.pid }, 'started a node');
    // A server that runs is not given up because that cannot be written: it is found without.
    await this.#kept.trySave({ process: identity, cleanStop: false }, log);
  }

  async #noteExit(): Promise<void> {
    if (this.#lookAlive() || this.#phase.kind !== 'up') return;
    const { pid } = this.#phase.process;
    this.#connection.close();
    if (this.#isLoading) {
      // It has never been up: however long it takes to fail over a large dataset, it failed at once.
      const inVainMs = performance.now() - this.#phase.startTick;
      this.#crashesMs = this.#crashesMs.map((time) => time + inVainMs);
    }
    this.#reason = await describeExit(await this.#exitReport(), this.#paths);
    this.#options.log.warn({ node: this.record.key, pid, reason: this.#reason }, 'a node ended');
    if (this.record.desired === 'run') this.#backOff();
    else this.#phase = { kind: 'down' };
  }

  #backOff(): void {
    const now = performance.now();
    this.#crashesMs = [...recentCrashes(this.#crashesMs, now), now];
    const { delayMs, crashLoop } = decideRestart(this.#crashesMs, now);
    this.#phase = { kind: 'backoff', untilMs: now + delayMs, crashLoop };
  }

  async #exitReport(): Promise<ExitReport | undefined> {
    if (this.#exited === undefined) return undefined;
    return Promise.race([this.#exited, delay(EXIT_REPORT_WAIT_MS, undefined)]);
  }

  #reachedAt(): ReachedAt {
    const { plan, password } = this.record;
    return { address: plan.node.address, password };
  }

  #inBackground(task: () => Promise<void>): void {
    this.queue.run(task).catch((error: unknown) => {
      this.#options.log.error({ err: error, node: this.record.key }, 'supervising a node failed');
    });
  }
}
