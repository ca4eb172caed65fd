/** What a command works with: its output, the controller, the operator's terminal. One per run. */
import { RedroverError } from '@redrover/core';
import type { CallOptions } from '@redrover/wire';
import { createInterface } from 'node:readline/promises';

import { connectApi } from '../connection/api.ts';
import type { Api } from '../connection/api.ts';
import { resolveTarget } from '../context/resolve-target.ts';
import type { TargetFlags } from '../context/resolve-target.ts';
import { OUTPUT_FORMATS, Output } from '../output/output.ts';
import type { OutputFormat } from '../output/output.ts';
import { UsageError } from './usage-error.ts';

export interface GlobalFlags extends TargetFlags {
  readonly output: OutputFormat;
  readonly yes: boolean;
  readonly color: boolean;
  /** Undefined: what suits the request. */
  readonly timeoutMs: number | undefined;
}

export interface Terminal {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: NodeJS.ProcessEnv;
}

export { OUTPUT_FORMATS };

export class Session {
  readonly flags: GlobalFlags;
  readonly terminal: Terminal;
  readonly output: Output;
  #api: Api | undefined;

  constructor(flags: GlobalFlags, terminal: Terminal) {
    this.flags = flags;
    this.terminal = terminal;
    const { stdout, stderr, env } = terminal;
    this.output = new Output({
      stdout,
      stderr,
      env,
      format: flags.output,
      noColor: !flags.color,
    });
  }

  /** The controller; connects on the first use. */
  get api(): Api {
    this.#api ??= connectApi({
      ...resolveTarget(this.flags, this.terminal.env),
      timeoutMs: this.flags.timeoutMs,
    });
    return this.#api;
  }

  /** For a request that may rightly take longer than most, unless --timeout says otherwise. */
  allow(timeoutMs: number): CallOptions {
    return { timeoutMs: this.flags.timeoutMs ?? timeoutMs };
  }

  /** Whether a person sits there who can answer a question. */
  get interactive(): boolean {
    return this.terminal.stdin.isTTY && this.terminal.stderr.isTTY;
  }

  /** Asks for a yes. Errors: `UsageError` without a terminal, where only `--yes` can answer. */
  async confirm(question: string): Promise<boolean> {
    if (this.flags.yes) return true;
    const answer = await this.ask(`${question} [y/N] `);
    return ['y', 'yes'].includes(answer.trim().toLowerCase());
  }

  /** Asks for a text to be typed, so that a habit cannot answer. */
  async confirmByTyping(question: string, expected: string): Promise<boolean> {
    if (this.flags.yes) return true;
    return (await this.ask(question)).trim() === expected;
  }

  close(): void {
    this.#api?.close();
    // A question leaves stdin flowing, which would keep the process alive.
    this.terminal.stdin.unref?.();
  }

  private async ask(question: string): Promise<string> {
    if (!this.interactive) {
      throw new UsageError(
        'this needs a confirmation and stdin is not a terminal: add --yes to approve it',
      );
    }
    const { stdin: input, stderr: output } = this.terminal;
    const prompt = createInterface({ input, output });
    const interrupted = new Promise<never>((_, reject) => {
      prompt.once('SIGINT', () => reject(new RedroverError('cancelled', 'nothing was changed')));
      prompt.once('close', () => reject(new RedroverError('cancelled', 'nothing was changed')));
    });
    try {
      return await Promise.race([prompt.question(question), interrupted]);
    } finally {
      interrupted.catch(() => {
        // Closing the prompt rejects it once more, with nobody left to tell.
      });
      prompt.close();
    }
  }
}
