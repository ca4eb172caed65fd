/** A live writer as tests see it; what it writes and how it counts is in `live-writer/`. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import type { FinalReport, WriterOptions, WriterReport } from './live-writer/protocol.ts';
import { until } from './until.ts';

export type LiveWriterOptions = Pick<WriterOptions, 'nodes' | 'prefix'> &
  Partial<WriterOptions> & { readonly password: string };

const SCRIPT = fileURLToPath(new URL('live-writer/main.ts', import.meta.url));
// Beside a mover and its servers on two cores this leaves most of the machine to them.
const OPS_PER_SECOND = 400;
const MAX_DURATION_MS = 45 * 60_000;
// Reading all back has a minute and a half of its own.
const ANSWER_TIMEOUT_MS = 150_000;

export class LiveWriter {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: unknown) => void>();
  #said = '';
  #lastId = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#said += text));
    child.stdin?.on('error', () => {});
    if (child.stdout === null) throw new Error('the live writer has no output');
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { id, answer } = JSON.parse(line) as { id: number; answer: unknown };
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
  }

  /** Resolves when writes are acknowledged. */
  static async start({ password, ...rest }: LiveWriterOptions): Promise<LiveWriter> {
    const options: WriterOptions = {
      counts: 'acknowledged',
      opsPerSecond: OPS_PER_SECOND,
      maxDurationMs: MAX_DURATION_MS,
      ...rest,
    };
    const child = spawn(process.execPath, [SCRIPT, JSON.stringify(options)], {
      env: { ...process.env, LIVE_WRITER_PASSWORD: password },
      stdio: 'pipe',
    });
    const writer = new LiveWriter(child);
    try {
      await writer.writesAgain();
      return writer;
    } catch (error) {
      writer.kill();
      throw error;
    }
  }

  async report(): Promise<WriterReport> {
    return this.#ask<WriterReport>('report');
  }

  /** Resolves when a hundred more writes have been acknowledged. */
  async writesAgain(timeoutMs = 60_000): Promise<void> {
    const before = (await this.report()).acknowledged;
    await until(
      'the live writer writes',
      async () => (await this.report()).acknowledged > before + 100,
      timeoutMs,
    );
  }

  /** Stops writing, reads everything acknowledged back, and ends the writer. */
  async stop(): Promise<FinalReport> {
    try {
      return await this.#ask<FinalReport>('stop');
    } finally {
      this.kill();
    }
  }

  /** Ends it at once; nothing is read back. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #ask<T>(wanted: 'report' | 'stop'): Promise<T> {
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const fail = (why: string): void => reject(new Error(`the live writer ${why}: ${this.#said}`));
    const onEnd = (): void => fail('has ended');
    const late = setTimeout(() => fail('does not answer'), ANSWER_TIMEOUT_MS);
    this.#waiting.set(id, resolve);
    this.#child.once('close', onEnd);
    try {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) onEnd();
      this.#child.stdin?.write(`${JSON.stringify({ id, do: wanted })}\n`);
      return (await promise) as T;
    } finally {
      clearTimeout(late);
      this.#child.off('close', onEnd);
      this.#waiting.delete(id);
    }
  }
}
