/** The work of a live writer: every lane writes and reads at its pace, and all is read back at the end. */
import { setTimeout as delay } from 'node:timers/promises';

import type { WriterClient } from './clients.ts';
import type { Expectation, Lane } from './lane.ts';
import type { FinalReport, Miss, WriterError, WriterReport } from './protocol.ts';

const MAX_ERRORS = 1_000;
const MAX_MISSES = 100;
// After a write that failed: a dead node is not to be asked all the time.
const RETRY_REST_MS = 30;
const READ_BACK_MS = 90_000;
const READ_BACK_AT_ONCE = 32;

export class Writing {
  readonly #client: WriterClient;
  readonly #lanes: readonly Lane[];
  readonly #pauseMs: number;
  readonly #acknowledged: Record<string, number> = {};
  readonly #errors: WriterError[] = [];
  readonly #misses: Miss[] = [];
  #errorCount = 0;
  #reads = 0;
  #isStopped = false;
  #work: Promise<unknown> = Promise.resolve();

  constructor(client: WriterClient, lanes: readonly Lane[], opsPerSecond: number) {
    this.#client = client;
    this.#lanes = lanes;
    this.#pauseMs = (1_000 * lanes.length) / opsPerSecond;
  }

  start(): void {
    this.#work = Promise.all(this.#lanes.map((lane) => this.#run(lane)));
  }

  report(): WriterReport {
    const acknowledged = Object.values(this.#acknowledged).reduce((sum, count) => sum + count, 0);
    return {
      acknowledged,
      acknowledgedByLane: this.#acknowledged,
      reads: this.#reads,
      errors: this.#errors,
      errorCount: this.#errorCount,
      misses: this.#misses,
    };
  }

  async stop(): Promise<FinalReport> {
    this.#isStopped = true;
    await this.#work;
    // What it says of errors is of the time of writing.
    const report = this.report();
    return { ...report, ...(await this.#readBack()) };
  }

  async #run(lane: Lane): Promise<void> {
    let dueMs = performance.now() + Math.random() * this.#pauseMs;
    for (let turn = 0; !this.#isStopped; turn += 1) {
      await delay(Math.max(0, dueMs - performance.now()));
      // What was missed while nothing could be written is not caught up with.
      dueMs = Math.max(dueMs + this.#pauseMs, performance.now());
      if (turn % 3 === 2) await this.#readOne(lane);
      else await this.#writeOne(lane);
    }
  }

  async #writeOne(lane: Lane): Promise<void> {
    const { key, command, acknowledge } = lane.next();
    while (!this.#isStopped) {
      try {
        await this.#client.write(key, command);
        acknowledge();
        this.#acknowledged[lane.name] = (this.#acknowledged[lane.name] ?? 0) + 1;
        return;
      } catch (error) {
        this.#note(command[0] ?? '', error);
        await delay(RETRY_REST_MS);
      }
    }
  }

  async #readOne(lane: Lane): Promise<void> {
    const expectation = lane.sample();
    if (expectation === undefined) return;
    try {
      const found = await expectation.check(this.#client);
      this.#reads += 1;
      if (found === undefined || this.#misses.length >= MAX_MISSES) return;
      this.#misses.push(missOf(lane, expectation, found));
    } catch (error) {
      this.#note('read', error);
    }
  }

  #note(command: string, error: unknown): void {
    this.#errorCount += 1;
    if (this.#errors.length >= MAX_ERRORS) return;
    const { name, message } = error as Error;
    const kind = name === 'ReplyError' ? (message.split(' ')[0] ?? name) : name;
    this.#errors.push({ atMs: Date.now(), kind, command, message: message.slice(0, 200) });
  }

  async #readBack(): Promise<Pick<FinalReport, 'lost' | 'unread'>> {
    const lost: Miss[] = [];
    let unread = 0;
    const deadlineMs = performance.now() + READ_BACK_MS;
    const pending = this.#everything();
    const work = async (): Promise<void> => {
      for (let next = pending.next(); !next.done; next = pending.next()) {
        const { lane, expectation } = next.value;
        const found = await this.#checkUntil(expectation, deadlineMs);
        if (found === 'unread') unread += 1;
        else if (found !== undefined) lost.push(missOf(lane, expectation, found));
      }
    };
    await Promise.all(Array.from({ length: READ_BACK_AT_ONCE }, work));
    return { lost, unread };
  }

  *#everything(): Generator<{ lane: Lane; expectation: Expectation }> {
    for (const lane of this.#lanes) {
      for (const expectation of lane.all()) yield { lane, expectation };
    }
  }

  async #checkUntil(expectation: Expectation, deadlineMs: number): Promise<string | undefined> {
    for (;;) {
      try {
        return await expectation.check(this.#client);
      } catch {
        // A cluster that is just recovering; whether it does, the deadline says.
        if (performance.now() > deadlineMs) return 'unread';
        await delay(RETRY_REST_MS);
      }
    }
  }
}

function missOf({ name }: Lane, { key, expected }: Expectation, found: string): Miss {
  return { atMs: Date.now(), key, lane: name, expected, found };
}
