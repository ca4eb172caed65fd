/**
 * One task at work: its lease, its being told to stop, and those who wait for it. It outlives any
 * command: whoever asks for the same pair again is attached to it.
 */
import type { MoveReport, MoverObservation } from '@redrover/core';
import type { Logger } from 'pino';
import { leaseFor, remainingMs, type Lease } from './lease.ts';
import type { MoveDriver } from './move-driver.ts';
import type { MoveOutcome, MoveStatus, MoveTask } from './move-task.ts';
import { failedOutcome } from './outcomes.ts';
import type { TaskFiles } from './task-files.ts';

export interface LivingMoveOptions {
  readonly task: MoveTask;
  readonly files: TaskFiles;
  readonly driver: MoveDriver;
  readonly password: string;
  readonly isResumed: boolean;
  /** From the orders of a resumed task. */
  readonly lease: Lease | undefined;
  readonly isStopping: boolean;
  readonly memo: string;
  readonly isConnected: () => boolean;
  readonly now: () => number;
  readonly log: Logger;
}

/** So long a mover goes on while nobody renews: longer than any restart of a controller. */
export const LEASE_MS = 10 * 60_000;
const RENEW_EVERY_MS = 4_000;

export class LivingMove {
  readonly task: MoveTask;
  readonly outcome: Promise<MoveOutcome>;
  readonly #options: LivingMoveOptions;
  readonly #stop = new AbortController();
  readonly #detach = new AbortController();
  readonly #watchers = new Set<(status: MoveStatus) => void>();
  readonly #timer: NodeJS.Timeout;
  #lease: Lease;
  /** Before the driver hears of it: no renewal may take the order back meanwhile. */
  #isToldToStop: boolean;
  #memo: string;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: LivingMoveOptions) {
    this.#options = options;
    this.task = options.task;
    this.#lease = options.lease ?? leaseFor(0);
    this.#memo = options.memo;
    this.#isToldToStop = options.isStopping;
    if (options.isStopping) this.#stop.abort();
    this.#timer = setInterval(() => this.#tick(), RENEW_EVERY_MS);
    this.outcome = this.#run().finally(() => clearInterval(this.#timer));
  }

  get isStopping(): boolean {
    return this.#isToldToStop;
  }

  /** As heartbeats list it. */
  observe(): MoverObservation {
    const { id, cluster, step } = this.task;
    return {
      id,
      cluster,
      engine: step.engine,
      source: step.source.node,
      target: step.target.node,
      slots: step.slots,
      state: this.isStopping ? 'stopping' : 'running',
      leaseUntilMs: this.#leaseUntilMs(),
    };
  }

  /** While somebody watches and the controller is heard, the lease is renewed. Answers how to end watching. */
  watch(onStatus: (status: MoveStatus) => void): () => void {
    this.#watchers.add(onStatus);
    this.#tick();
    return () => void this.#watchers.delete(onStatus);
  }

  /** At the next boundary; the outcome says when. The order is on disk before the driver hears of it. */
  async stop(): Promise<void> {
    if (this.#isToldToStop) return;
    this.#isToldToStop = true;
    // A full disk keeps nobody from stopping: then the order reaches a mover by the lease, or a signal.
    await this.#writeOrders().catch((thrown: unknown) => this.#warn(thrown));
    this.#stop.abort();
  }

  /** The agent ends, the task goes on. */
  detach(): void {
    this.#detach.abort();
  }

  #tick(): void {
    if (this.isStopping) return;
    if (this.#watchers.size > 0 && this.#options.isConnected()) {
      this.#lease = leaseFor(LEASE_MS);
      this.#writeOrders().catch((thrown: unknown) => this.#warn(thrown));
    } else if (remainingMs(this.#lease) <= 0) {
      void this.stop();
    }
  }

  /** For the controller, which has only wall clocks to compare. */
  #leaseUntilMs(): number {
    return Math.round(this.#options.now() + Math.max(-LEASE_MS, remainingMs(this.#lease)));
  }

  /** One at a time, each of what is true by then. */
  #writeOrders(): Promise<void> {
    const write = this.#writing.then(() =>
      this.#options.files.writeOrders({
        lease: this.#lease,
        stop: this.#isToldToStop,
      }),
    );
    this.#writing = write.catch(() => {});
    return write;
  }

  #warn(thrown: unknown): void {
    const { log } = this.#options;
    log.warn({ err: thrown, mover: this.task.id }, 'the orders of a mover could not be written');
  }

  async #run(): Promise<MoveOutcome> {
    const { driver, task, password, isResumed, files } = this.#options;
    let last: MoveReport | undefined;
    try {
      return await driver.run(task, {
        isResumed,
        stop: this.#stop.signal,
        detach: this.#detach.signal,
        password,
        orderStop: () => this.stop(),
        publish: (status) => {
          last = status.report;
          for (const watcher of this.#watchers) watcher(status);
        },
        readMemo: () => this.#memo,
        writeMemo: async (memo) => {
          await files.writeMemo(memo);
          this.#memo = memo;
        },
      });
    } catch (thrown) {
      if (this.#detach.signal.aborted) throw thrown;
      return failedOutcome(task, thrown, last);
    }
  }
}
