/**
 * The outside client of a lab, as tests see it: redis-py on the lab's client host, see
 * live-client.py for what it does and how it counts.
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { until } from '../support/until.ts';
import { endGroup } from './command.ts';
import { CLIENT } from './lab.ts';
import type { Lab } from './lab.ts';

export interface LiveClientOptions {
  /** Parts of the key space that are watched apart. Default 8. */
  readonly lanes?: number;
  /** Writes of all lanes together. Default 240. */
  readonly ratePerSecond?: number;
  /** WAIT for so many replicas before a write counts. Default 0. */
  readonly waitReplicas?: number;
  /** From here on a pause of a lane is listed. Default 300. */
  readonly gapMs?: number;
  /** Of connecting, and of an answer. Default 500. */
  readonly timeoutMs?: number;
  /** After that it stops by itself. Default 10 minutes. */
  readonly maxDurationMs?: number;
  /** Default: the prefix `live`. Two clients at once need two. */
  readonly prefix?: string;
}

export interface Gap {
  readonly lane: number;
  /** Unix times. */
  readonly fromMs: number;
  readonly toMs: number;
}

export interface LiveReport {
  readonly acknowledged: number;
  /** Lanes with at least one acknowledged write. */
  readonly lanesWritten: number;
  readonly reads: number;
  /** Reads of acknowledged keys, while writing, that found something else. */
  readonly readMisses: readonly { key: string; found: string | null; atMs: number }[];
  /** The last acknowledged write of the lane that has waited longest. */
  readonly quietSinceMs: number;
  /** By type, such as `ConnectionError`. Each was followed by another try. */
  readonly errors: Readonly<Record<string, LiveError>>;
  readonly longestGapMs: number;
  readonly gaps: readonly Gap[];
}

export interface LiveError {
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly last: string;
}

export interface FinalReport extends LiveReport {
  readonly lostCount: number;
  /** At most a hundred of them. */
  readonly lost: readonly { key: string; expected: string; found: string | null }[];
  /** Keys that could not be read back at all, the cluster being down. */
  readonly unread: number;
}

const SCRIPT = '/root/live-client.py';
// Reading all back has a minute of its own in the script.
const ANSWER_TIMEOUT_MS = 90_000;

export class LiveClient {
  readonly #child: ChildProcess;
  readonly #lanes: number;
  readonly #waiting = new Map<number, (answer: unknown) => void>();
  #said = '';
  #lastId = 0;

  private constructor(child: ChildProcess, lanes: number) {
    this.#child = child;
    this.#lanes = lanes;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#said += text));
    child.stdin?.on('error', () => {});
    if (child.stdout === null) throw new Error('the live client has no output');
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { id, answer } = JSON.parse(line) as { id: number; answer: unknown };
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
  }

  /** Resolves when every lane has written. */
  static async start(lab: Lab, cluster: string, options: LiveClientOptions = {}) {
    const { password } = await lab.credentials(cluster);
    const { nodes } = await lab.redroverJson<{ nodes: { address: string; port: number }[] }>([
      'cluster',
      'show',
      cluster,
    ]);
    const source = readFileSync(new URL('live-client.py', import.meta.url), 'utf8');
    await lab.host(CLIENT).writeFile(SCRIPT, source);
    const settings = { ...options, nodes: nodes.map(({ address, port }) => `${address}:${port}`) };
    const argv = ['/usr/bin/python3', SCRIPT, JSON.stringify(settings)];
    const child = lab.spawn(CLIENT, argv, { LIVE_CLIENT_PASSWORD: password });
    const client = new LiveClient(child, options.lanes ?? 8);
    try {
      await until('every lane of the live client writes', async () => {
        const { lanesWritten } = await client.report();
        return lanesWritten === client.#lanes;
      });
    } catch (error) {
      client.kill();
      throw error;
    }
    return client;
  }

  async report(): Promise<LiveReport> {
    return this.#ask<LiveReport>({ do: 'report' });
  }

  /** A moment to measure from. The client's host has this machine's clock. */
  mark(): number {
    return Date.now();
  }

  /** The longest time since a mark in which some lane had no write acknowledged. */
  async gapSince(mark: number): Promise<{ gapMs: number; lasts: boolean }> {
    return this.#ask({ do: 'gap', sinceMs: mark });
  }

  /** Resolves when every lane has written again after this moment. */
  async writesAgain(timeoutMs = 60_000): Promise<void> {
    const mark = this.mark();
    await until(
      'every lane of the live client writes again',
      async () => (await this.report()).quietSinceMs > mark,
      timeoutMs,
    );
  }

  /** Stops writing, reads every acknowledged write back, and ends the client. */
  async stop(): Promise<FinalReport> {
    try {
      return await this.#ask<FinalReport>({ do: 'stop' });
    } finally {
      this.kill();
    }
  }

  /** Ends it at once, whatever it does; nothing is read back. */
  kill(): void {
    endGroup(this.#child, 'SIGKILL');
  }

  async #ask<T>(command: Readonly<Record<string, unknown>>): Promise<T> {
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const fail = (why: string): void => reject(new Error(`the live client ${why}: ${this.#said}`));
    const onEnd = (): void => fail('has ended');
    const late = setTimeout(() => fail('does not answer'), ANSWER_TIMEOUT_MS);
    this.#waiting.set(id, resolve);
    this.#child.once('close', onEnd);
    try {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) onEnd();
      this.#child.stdin?.write(`${JSON.stringify({ id, ...command })}\n`);
      return (await promise) as T;
    } finally {
      clearTimeout(late);
      this.#child.off('close', onEnd);
      this.#waiting.delete(id);
    }
  }
}
