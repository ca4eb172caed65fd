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
import type { LastSeen, NodeRecord, NodeRecords, ProcessIdentity } from '../nodes/node-record.ts';
import type { NodePaths } from '../nodes/paths.ts';
import type { RunAs } from '../nodes/run-as.ts';
import type { NodeConnection } from '../redis/node-connection.ts';
import { decideRestart, recentCrashes } from './crash-policy.ts';
import { describeExit } from './exit-reason.ts';
import type { ExitReport, Launcher } from './launcher.ts';
import { findNodeProcess, identify, isAlive, looksLikeNode, readBootId } from './processes.ts';
import { SerialQueue } from './serial-queue.ts';
import { decideStart } from './stale-master.ts';
import { gatherStartFacts, useUpRelease } from './start-facts.ts';
import { stopProcess, type StopOutcome } from './stop-process.ts';

export interface SupervisorOptions {
  readonly records: NodeRecords;
  /** Directory of the records, where `release-node` leaves its word. */
  readonly recordsDirectory: string;
  readonly launcher: Launcher;
  readonly user: RunAs | undefined;
  readonly now: () => number;
  readonly log: Logger;
}

/** What `describe` says; becomes part of a `ProcessObservation`. */
export interface ProcessStatus {
  readonly state: ProcessState;
  readonly pid: number | undefined;
  readonly startedAtMs: number | undefined;
  readonly restarts: number;
  readonly reason: string;
}

type Phase =
  | { readonly kind: 'down' }
  | { readonly kind: 'up'; readonly process: ProcessIdentity; answering: 'not yet' | 'yes' | 'no' }
  | { readonly kind: 'backoff'; readonly untilMs: number; readonly crashLoop: boolean }
  | { readonly kind: 'held'; readonly sinceMs: number; nextLookMs: number };

/** How often a held node's peers are asked. */
const HELD_LOOK_MS = 1_000;
/** A node that does not answer so long after its start is not starting any more. */
const STARTING_MS = 15_000;
/** For the kernel's word on how a child ended to arrive after the process is gone. */
const EXIT_REPORT_WAIT_MS = 300;

export class NodeSupervisor {
  /** Everything that changes the node goes through here, the supervisor's own restarts too. */
  readonly queue = new SerialQueue();
  readonly #saves = new SerialQueue();
  readonly #options: SupervisorOptions;
  readonly #paths: NodePaths;
  readonly #connection: NodeConnection;
  #record: NodeRecord;
  #phase: Phase = { kind: 'down' };
  #exited: Promise<ExitReport> | undefined;
  #crashesMs: number[] = [];
  #restarts = 0;
  #reason = '';

  constructor(
    record: NodeRecord,
    paths: NodePaths,
    connection: NodeConnection,
    options: SupervisorOptions,
  ) {
    this.#record = record;
    this.#paths = paths;
    this.#connection = connection;
    this.#options = options;
  }

  get record(): NodeRecord {
    return this.#record;
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
    if ((await this.adopt()) || this.#record.desired !== 'run') return;
    this.#reason = 'was not running when the agent started';
    await this.queue.run(() => this.#startGuarded());
  }

  /** Takes over a process that runs; false if there is none. */
  async adopt(): Promise<boolean> {
    const found = this.#findProcess();
    if (found === undefined) return false;
    const { key, process: known } = this.#record;
    this.#phase = { kind: 'up', process: found, answering: 'not yet' };
    this.#exited = undefined;
    this.#options.log.info({ node: key, pid: found.pid }, 'took over a running node');
    if (known?.pid !== found.pid || known.startTicks !== found.startTicks) {
      await this.#save({ process: found, cleanStop: false });
    }
    return true;
  }

  /** Starts the node on purpose; nothing happens if it runs. @throws RedroverError if it is held. */
  async start(): Promise<void> {
    await this.#save({ desired: 'run' });
    if (this.#lookAlive()) return;
    this.#crashesMs = [];
    this.#restarts = 0;
    this.#reason = '';
    await this.#startGuarded();
    if (this.#phase.kind === 'held') {
      throw new RedroverError('data-loss', `${this.#record.key} is held back: ${this.#reason}`);
    }
  }

  /** Stops the node on purpose and for good; nothing happens if it is down. */
  async stop(signal?: AbortSignal): Promise<StopOutcome | undefined> {
    const before = this.#record.desired;
    if (before === 'run') await this.#save({ desired: 'stopped' });
    const identity = this.#lookAlive() ? this.process : undefined;
    if (identity === undefined) {
      this.#phase = { kind: 'down' };
      return undefined;
    }
    const { key } = this.#record;
    try {
      const connection = this.#connection;
      const outcome = await stopProcess({ key, process: identity, connection, signal });
      this.#phase = { kind: 'down' };
      this.#reason = `stopped by ${outcome.by}`;
      await this.#save({ cleanStop: outcome.clean, process: undefined });
      return outcome;
    } catch (thrown) {
      // It still runs: then it is still supervised.
      if (isAlive(identity) && before === 'run') await this.#save({ desired: before });
      throw thrown;
    }
  }

  /** Cheap; called several times a second. Work that it finds is queued. */
  tick(): void {
    const now = this.#options.now();
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
  async noteAnswer(answered: boolean, seen?: LastSeen): Promise<boolean> {
    if (this.#phase.kind === 'up') {
      const wasAnswering = this.#phase.answering !== 'not yet';
      this.#phase.answering = answered ? 'yes' : wasAnswering ? 'no' : 'not yet';
    }
    if (seen === undefined) return true;
    if (JSON.stringify(seen) === JSON.stringify(this.#record.lastSeen)) return true;
    try {
      await this.#save({ lastSeen: seen });
      return true;
    } catch (thrown) {
      this.#options.log.warn({ err: thrown, node: this.#record.key }, 'cannot keep what was seen');
      return false;
    }
  }

  /** A new config, build or password was put in force on disk. */
  async replaceRecord(record: NodeRecord): Promise<void> {
    await this.#saves.run(() => this.#options.records.save(record));
    this.#record = record;
  }

  describe(): ProcessStatus {
    const identity = this.process;
    return {
      state: this.#state(),
      pid: identity?.pid,
      startedAtMs: identity?.startedAtMs,
      restarts: this.#restarts,
      reason: this.#reason,
    };
  }

  #state(): ProcessState {
    const phase = this.#phase;
    switch (phase.kind) {
      case 'down':
        return this.#record.desired === 'prepared' ? 'prepared' : 'stopped';
      case 'backoff':
        return phase.crashLoop ? 'crash-loop' : 'backoff';
      case 'held':
        return 'held';
      case 'up': {
        if (phase.answering === 'yes') return 'running';
        const ageMs = this.#options.now() - phase.process.startedAtMs;
        return phase.answering === 'not yet' && ageMs < STARTING_MS ? 'starting' : 'unresponsive';
      }
    }
  }

  #findProcess(): ProcessIdentity | undefined {
    const traits = this.#traits();
    const known = this.#record.process;
    if (
      known !== undefined &&
      known.bootId === readBootId() &&
      isAlive(known) &&
      looksLikeNode(known.pid, traits)
    ) {
      return known;
    }
    const pid = findNodeProcess(traits);
    return pid === undefined ? undefined : identify(pid, this.#options.now());
  }

  #lookAlive(): boolean {
    return this.#phase.kind === 'up' && isAlive(this.#phase.process);
  }

  async #restart(): Promise<void> {
    if (this.#phase.kind !== 'backoff' || this.#record.desired !== 'run') return;
    this.#restarts += 1;
    await this.#startGuarded();
  }

  /** Starts the process unless the stale-master guard holds it back. */
  async #startGuarded(): Promise<void> {
    const { log, now, recordsDirectory } = this.#options;
    const { key, port } = this.#record;
    if (await this.adopt()) return;
    const held = this.#phase.kind === 'held' ? this.#phase : undefined;
    const heldMs = held === undefined ? 0 : now() - held.sinceMs;
    const question = { record: this.#record, paths: this.#paths, heldMs, askPeers: true };
    const decision = decideStart(await gatherStartFacts(question, recordsDirectory));
    if (decision.kind === 'hold') {
      if (held === undefined) log.warn({ node: key, reason: decision.reason }, 'start held back');
      const nextLookMs = now() + HELD_LOOK_MS;
      this.#phase = { kind: 'held', sinceMs: held?.sinceMs ?? now(), nextLookMs };
      this.#reason = decision.reason;
      return;
    }
    try {
      await this.#launch();
    } catch (thrown) {
      this.#reason = RedroverError.from(thrown).message;
      this.#backOff();
      throw thrown;
    }
    await useUpRelease(recordsDirectory, port);
  }

  async #launch(): Promise<void> {
    const { launcher, user, now, log } = this.#options;
    const { key, port, build } = this.#record;
    const { config, directory, stdio } = this.#paths;
    const { server } = build;
    const launched = await launcher.launch({ key, port, server, config, directory, stdio, user });
    const identity = identify(launched.pid, now());
    this.#exited = launched.exited;
    if (identity === undefined) {
      this.#reason = await describeExit(await this.#exitReport(), this.#paths);
      throw new RedroverError('unavailable', `${key} ended at once: ${this.#reason}`);
    }
    this.#phase = { kind: 'up', process: identity, answering: 'not yet' };
    log.info({ node: key, pid: identity.pid }, 'started a node');
    await this.#save({ process: identity, cleanStop: false });
  }

  async #noteExit(): Promise<void> {
    if (this.#lookAlive() || this.#phase.kind !== 'up') return;
    const { pid } = this.#phase.process;
    this.#connection.close();
    this.#reason = await describeExit(await this.#exitReport(), this.#paths);
    this.#options.log.warn({ node: this.#record.key, pid, reason: this.#reason }, 'a node ended');
    if (this.#record.desired === 'run') this.#backOff();
    else this.#phase = { kind: 'down' };
  }

  #backOff(): void {
    const now = this.#options.now();
    this.#crashesMs = [...recentCrashes(this.#crashesMs, now), now];
    const { delayMs, crashLoop } = decideRestart(this.#crashesMs, now);
    this.#phase = { kind: 'backoff', untilMs: now + delayMs, crashLoop };
  }

  async #exitReport(): Promise<ExitReport | undefined> {
    if (this.#exited === undefined) return undefined;
    return Promise.race([this.#exited, delay(EXIT_REPORT_WAIT_MS, undefined)]);
  }

  #traits() {
    const { directory, config } = this.#paths;
    return { directory, config, port: this.#record.port };
  }

  async #save(change: Partial<NodeRecord>): Promise<void> {
    this.#record = { ...this.#record, ...change };
    // One write at a time, each of what is true by then: an older one never lands last.
    await this.#saves.run(() => this.#options.records.save(this.#record));
  }

  #inBackground(task: () => Promise<void>): void {
    this.queue.run(task).catch((error: unknown) => {
      this.#options.log.error({ err: error, node: this.#record.key }, 'supervising a node failed');
    });
  }
}
