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
import { readNodeFile } from '../nodes/node-file.ts';
import type { NodeConnection } from '../redis/node-connection.ts';
import { decideRestart, recentCrashes } from './crash-policy.ts';
import { describeExit } from './exit-reason.ts';
import { KeptRecord } from './kept-record.ts';
import type { ExitReport, Launcher } from './launcher.ts';
import { findNodeProcess, identify, isAlive, looksLikeNode, readBootId } from './processes.ts';
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
  readonly #kept: KeptRecord;
  readonly #options: SupervisorOptions;
  readonly #paths: NodePaths;
  readonly #connection: NodeConnection;
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
    const found = this.#findProcess();
    if (found === undefined) return false;
    const { key, process: known } = this.record;
    this.#phase = { kind: 'up', process: found, answering: 'not yet' };
    this.#exited = undefined;
    this.#options.log.info({ node: key, pid: found.pid }, 'took over a running node');
    if (known?.pid !== found.pid || known.startTicks !== found.startTicks) {
      await this.#noteProcess(found);
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
  async noteAnswer(answered: boolean, seen?: LastSeen): Promise<boolean> {
    if (this.#phase.kind === 'up') {
      const wasAnswering = this.#phase.answering !== 'not yet';
      this.#phase.answering = answered ? 'yes' : wasAnswering ? 'no' : 'not yet';
    }
    const lastSeen = seen ?? this.record.lastSeen;
    const isKnown = JSON.stringify(lastSeen) === JSON.stringify(this.record.lastSeen);
    // A save that failed, on a full disk, is made up for as soon as it is possible.
    if (isKnown && !(answered && this.#kept.unsaved)) return true;
    try {
      await this.#kept.save({ lastSeen });
      return true;
    } catch (thrown) {
      this.#options.log.warn({ err: thrown, node: this.record.key }, 'cannot keep what was seen');
      return false;
    }
  }

  /** A new config, build or password was put in force on disk. */
  async replaceRecord(record: NodeRecord): Promise<void> {
    // What was seen of the node while it was being prepared is newer than what the record took over.
    const { clusterId, desired, process, lastSeen, cleanStop } = this.record;
    const same = record.clusterId === clusterId;
    await this.#kept.replace(same ? { ...record, desired, process, lastSeen, cleanStop } : record);
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
        return this.record.desired === 'prepared' ? 'prepared' : 'stopped';
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
    const known = this.record.process;
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
    const decision = decideStart(await gatherStartFacts(question, recordsDirectory));
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
      this.#reason = RedroverError.from(thrown).message;
      this.#backOff();
      throw thrown;
    }
    await useUpRelease(recordsDirectory, port);
  }

  async #launch(): Promise<void> {
    const { launcher, user, now, log } = this.#options;
    const { key, port, build } = this.record;
    const { config, directory, stdio } = this.#paths;
    const { server } = build;
    // Before it takes a first write: what it saved at its last stop is old from then on.
    if (this.record.cleanStop !== false) await this.#kept.save({ cleanStop: false });
    const launched = await launcher.launch({ key, port, server, config, directory, stdio, user });
    const identity = identify(launched.pid, now());
    this.#exited = launched.exited;
    if (identity === undefined) {
      this.#reason = await describeExit(await this.#exitReport(), this.#paths);
      throw new RedroverError('unavailable', `${key} ended at once: ${this.#reason}`);
    }
    this.#phase = { kind: 'up', process: identity, answering: 'not yet' };
    log.info({ node: key, pid: identity.pid }, 'started a node');
    await this.#noteProcess(identity);
  }

  async #noteExit(): Promise<void> {
    if (this.#lookAlive() || this.#phase.kind !== 'up') return;
    const { pid } = this.#phase.process;
    this.#connection.close();
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

  #traits() {
    const { directory, config } = this.#paths;
    return { directory, config, port: this.record.port };
  }

  /** A server that runs is not given up because that cannot be written: it is found without. */
  async #noteProcess(identity: ProcessIdentity): Promise<void> {
    try {
      await this.#kept.save({ process: identity, cleanStop: false });
    } catch (thrown) {
      const { key } = this.record;
      this.#options.log.warn({ err: thrown, node: key }, 'cannot write down which process it is');
    }
  }

  #inBackground(task: () => Promise<void>): void {
    this.queue.run(task).catch((error: unknown) => {
      this.#options.log.error({ err: error, node: this.record.key }, 'supervising a node failed');
    });
  }
}
