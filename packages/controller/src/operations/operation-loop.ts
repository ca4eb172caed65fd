/**
 * Runs one operation: observe, plan, execute what is ready, and again, until nothing is left.
 *
 * It decides nothing about Redis: what is done next is `planSteps`' answer to what is true now,
 * and how it is done the agents' business. So the loop may be left and entered again at any time.
 */
import { performance } from 'node:perf_hooks';

import {
  planCancel,
  planSteps,
  RedroverError,
  type Layout,
  type LayoutNode,
  type MoveReport,
  type NextSteps,
  type Operation,
  type Release,
  type Step,
  type Waiting,
} from '@redrover/core';
import type { Logger } from 'pino';

import type { Agents } from '../agents/agents.ts';
import { explainCutOff } from '../agents/cut-off.ts';
import { takeSnapshot, type Seen } from '../agents/snapshot.ts';
import type { OperationRecord, OperationRecords } from '../store/operation-records.ts';
import type { Journal } from './journal.ts';
import { explainCancelled, judgeEnd, type OperationEnd } from './operation-end.ts';
import { OperationFeed, type OperationEvent, type Watch } from './operation-feed.ts';
import { KeyTotals } from './key-totals.ts';
import { ObservationRequests } from './observation-requests.ts';
import { ObservationTargets } from './observation-targets.ts';
import { Patience } from './patience.ts';
import { PollSchedule } from './poll-schedule.ts';
import { ReportPace } from './report-pace.ts';
import { SilentFailures } from './silent-failures.ts';
import { StepRunner } from './step-runner.ts';
import { WaitsBoard } from './waits-board.ts';
import { Wakeup } from './wakeup.ts';

export interface LoopContext extends Seen {
  readonly agents: Agents;
  readonly records: OperationRecords;
  readonly incarnation: number;
  readonly log: Logger;
}

export interface LoopSubject {
  readonly record: OperationRecord;
  readonly layout: Layout;
  readonly release: Release;
  /** Nodes of earlier layouts that this one does not have. */
  readonly former: readonly LayoutNode[];
  /** Of the cluster. */
  readonly password: string;
  readonly journal: Journal;
  readonly onMoved: (report: MoveReport) => void;
}

/** The planner waits for some things by time alone (core, `planSteps`). */
const LONGEST_REST_MS = 1_000;

/** Hosts that are away cannot be wound down; what they run is back to normal after a restart. */
const WIND_DOWN_LIMIT_MS = 30_000;

/** How long to wait before the end of an operation is written again, on a full disk say. */
const WRITE_RETRY_MS = 1_000;

/**
 * Only a running operation goes on; the others put lowered timing back, and nothing else. `frozen`:
 * it would be running, but the controller hears so few hosts that it must not trust what it sees.
 */
type Mode = 'running' | 'frozen' | 'paused' | 'cancelling';

export class OperationLoop {
  readonly feed = new OperationFeed();
  readonly #context: LoopContext;
  readonly #subject: LoopSubject;
  /** Those of the layout and of earlier ones. */
  readonly #nodes: readonly LayoutNode[];
  readonly #targets: ObservationTargets;
  readonly #wakeup = new Wakeup();
  readonly #poll: PollSchedule;
  readonly #movePoll: PollSchedule;
  readonly #runner: StepRunner;
  readonly #requests: ObservationRequests;
  readonly #patience: Patience;
  readonly #reports = new ReportPace();
  readonly #totals = new KeyTotals();
  #record: OperationRecord;
  readonly #waits: WaitsBoard;
  readonly #silence: SilentFailures;
  #windDownSince = 0;
  #isBlocked = false;
  #isStopping = false;

  constructor(context: LoopContext, subject: LoopSubject) {
    this.#context = context;
    this.#subject = subject;
    this.#record = subject.record;
    this.#nodes = [...subject.layout.nodes, ...subject.former];
    const { length } = this.#nodes;
    this.#poll = new PollSchedule(performance.now(), length);
    this.#movePoll = new PollSchedule(performance.now(), length, 'moves');
    this.#waits = new WaitsBoard(this.feed);
    this.#silence = new SilentFailures(context, subject.journal);
    this.#targets = new ObservationTargets(this.#nodes);
    this.#requests = new ObservationRequests(context, () => this.#wakeup.ring());
    this.#patience = new Patience(subject.layout.nodeTimeoutMs);
    this.#runner = new StepRunner({
      ...context,
      ...subject,
      operation: this.operation,
      feed: this.feed,
      silence: this.#silence,
      onEnd: (step) => this.#stepEnded(step),
    });
  }

  get record(): OperationRecord {
    return this.#record;
  }

  get operation(): Operation {
    return this.#record.operation;
  }

  get waits(): readonly Waiting[] {
    return this.#waits.now;
  }

  get journal(): Journal {
    return this.#subject.journal;
  }

  /** Everything so far, then live until the operation ends. */
  watch(): Watch {
    const attempts = this.journal.history.map((attempt): OperationEvent => ({
      kind: 'attempt',
      attempt,
    }));
    return this.feed.watch([
      { kind: 'operation', operation: this.operation },
      ...attempts,
      ...this.#runner.progress,
      { kind: 'waits', waits: this.waits },
    ]);
  }

  /** Resolves when the operation has ended, or the loop was stopped. */
  async run(): Promise<void> {
    const { hosts, observations } = this.#context;
    const ring = (host: string): void => {
      if (this.#targets.hasHost(host)) this.#wakeup.ring();
    };
    const ringSoon = (host: string): void => {
      const waitMs = this.#reports.waitMs(performance.now(), this.#runner);
      if (this.#targets.hasHost(host)) this.#wakeup.ringWithin(waitMs);
    };
    hosts.on('change', ring);
    observations.on('change', ringSoon);
    try {
      this.#requests.ask(this.#targets.all());
      while (!this.#isStopping && (await this.#turn()));
    } catch (error) {
      await this.#finishBroken(error);
    } finally {
      hosts.off('change', ring);
      observations.off('change', ringSoon);
      this.#wakeup.close();
      await this.journal.flush();
      this.feed.end(this.#isStopping ? stopped() : undefined);
    }
  }

  /** Takes over a state that was written to the store: paused, running again, or cancelling. */
  adopt(record: OperationRecord): void {
    // It ended by itself in the meantime.
    if (this.operation.endedAtMs !== undefined) return;
    this.#record = record;
    // Steps under way are not needed any more; the agents are told. Slots that rest are not on
    // their way; other steps are better brought to their end.
    if (record.cancelling) this.#runner.abort();
    else if (record.operation.state === 'paused') this.#runner.abortMoves();
    this.feed.publish({ kind: 'operation', operation: record.operation });
    this.#wakeup.ring();
  }

  /** The controller stops: work on the hosts goes on, and is looked at again at the next start. */
  stop(): void {
    this.#isStopping = true;
    this.#runner.leave();
    this.#wakeup.ring();
  }

  /** @returns false when the operation is over. */
  async #turn(): Promise<boolean> {
    const mode = this.#mode;
    if (mode === 'paused' || mode === 'frozen') {
      // However long it lasts: nodes must not be left with lowered timing meanwhile.
      this.#waits.show(this.#explainRest());
      this.#isBlocked = false;
      this.#patience.forget();
      const { steps } = this.#plan(mode);
      // Nothing is stopped on the word of so few: what is on its way has a lease.
      const rest = mode === 'frozen' ? steps.filter(({ kind }) => kind !== 'stopMoves') : steps;
      this.#launch(mode, rest);
      await this.#wakeup.wait(LONGEST_REST_MS);
      return true;
    }
    const startTick = performance.now();
    const next = this.#plan(mode);
    const passing = this.#patience.judge(next.blockers, { tick: startTick, nowMs: Date.now() });
    const silent = this.#silence.waitsOf(next.steps);
    this.#waits.show([...next.waits, ...silent, ...(passing ?? [])]);
    this.#isBlocked = next.blockers.length > 0 && next.steps.length === 0;
    this.#launch(mode, next.steps);
    if (this.#runner.isIdle) {
      const end = this.#endOf(next, passing === undefined);
      if (end !== undefined) return !(await this.#finish(end));
    }
    await this.#rest(next, performance.now() - startTick);
    return true;
  }

  #plan(mode: Mode): NextSteps {
    const { layout, release, former } = this.#subject;
    const { kind, purge, move } = this.operation;
    const observation = takeSnapshot(this.#context, this.#nodes);
    const history = this.#silence.history;
    const hasMoved = history.some(({ stepKey }) => stepKey.startsWith('moveSlots '));
    this.#totals.note(observation, { hasMoved });
    const seen = { observation, history, now: Date.now() };
    const input = { layout, release, kind, former, purge, move, ...seen };
    return mode === 'running' ? planSteps(input) : planCancel(input);
  }

  get #mode(): Mode {
    if (this.#record.cancelling) return 'cancelling';
    if (this.operation.state === 'paused') return 'paused';
    return explainCutOff(this.#context.hosts) === undefined ? 'running' : 'frozen';
  }

  #explainRest(): Waiting[] {
    const reason = this.#mode === 'frozen' ? explainCutOff(this.#context.hosts) : undefined;
    return reason === undefined ? [] : [{ subject: this.operation.cluster, reason }];
  }

  #endOf(next: NextSteps, needsPerson: boolean): OperationEnd | undefined {
    if (this.#record.cancelling) {
      this.#windDownSince ||= performance.now();
      const isLate = performance.now() - this.#windDownSince > WIND_DOWN_LIMIT_MS;
      if (!next.done && next.blockers.length === 0 && !isLate) return undefined;
      return { state: 'cancelled', message: this.#explainCancelled() };
    }
    const isBlocked = this.#isBlocked && needsPerson;
    const keyTotals = next.done ? this.#totals.describe() : '';
    return judgeEnd(next, { isBlocked, attempts: this.journal.history, keyTotals });
  }

  #explainCancelled(): string {
    const { cluster, message } = this.operation;
    const names = [...new Set(this.#nodes.map(({ host }) => host))];
    const hosts = names.flatMap((name) => this.#context.hosts.find(name) ?? []);
    return explainCancelled({ cluster, message, hosts, attempts: this.journal.history });
  }

  #launch(mode: Mode, steps: readonly Step[]): void {
    this.#runner.launch(steps, () => this.#mode === mode && !this.#isBlocked);
  }

  #stepEnded(step: Step | undefined): void {
    const tick = performance.now();
    this.#reports.noteStepEnd(tick);
    this.#poll.restart(tick);
    this.#movePoll.restart(tick);
    // The slots have moved at nodes that the step's result does not speak of.
    if (step?.kind === 'moveSlots') this.#requests.askAnew(this.#targets.afterMove(step));
    this.#wakeup.ring();
  }

  /** Waits for news; asks for it where nothing is under way that would bring any. */
  async #rest(next: NextSteps, turnMs: number): Promise<void> {
    const { isIdle, isOnlyMoving } = this.#runner;
    const poll = isIdle ? this.#poll : isOnlyMoving ? this.#movePoll : undefined;
    const tick = performance.now();
    if (poll?.remainingMs(tick) === 0) {
      poll.advance(tick);
      this.#requests.ask(this.#targets.of(next.waits));
    }
    const restMs = poll?.remainingMs(tick) ?? LONGEST_REST_MS;
    await this.#wakeup.wait(Math.min(restMs, LONGEST_REST_MS));
    // Planning for a thousand nodes takes a while: it gets a third of the time, and no more.
    const earliestTick = tick + 2 * turnMs;
    const earlyMs = earliestTick - performance.now();
    if (earlyMs > 1) await new Promise((resolve) => setTimeout(resolve, earlyMs));
  }

  /** A defect of ours must not leave an operation that nobody runs and nobody can end. */
  async #finishBroken(error: unknown): Promise<void> {
    const { log } = this.#context;
    log.error({ err: error, operation: this.operation.id }, 'the loop of an operation broke');
    const message =
      `a defect of Redrover ended it: ${RedroverError.from(error).message}; its stack is in the ` +
      "controller's log. What was done so far stays: plan and apply again to go on";
    while (!this.#isStopping && !(await this.#finish({ state: 'failed', message })));
  }

  /** Writes the end durably before anybody hears of it. @returns false if that was not possible. */
  async #finish(end: OperationEnd): Promise<boolean> {
    const { records, log } = this.#context;
    const operation = { ...this.operation, ...end, endedAtMs: Date.now() };
    const record = { ...this.#record, operation, cancelling: false };
    const journal = this.journal.takeUnwritten();
    try {
      await records.update(record, journal);
    } catch (error) {
      log.error({ err: error, operation: operation.id }, 'cannot write the end; trying again');
      this.journal.putBack(journal);
      await this.#wakeup.wait(WRITE_RETRY_MS);
      return false;
    }
    this.#record = record;
    this.#waits.show([]);
    this.feed.publish({ kind: 'operation', operation });
    log.info({ operation: operation.id, state: end.state, reason: end.message }, 'operation ended');
    return true;
  }
}

function stopped(): RedroverError {
  return new RedroverError(
    'unavailable',
    'the controller is stopping; the operation goes on when it is started again',
  );
}
