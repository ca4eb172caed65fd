/** Commands that were sent to one agent and not answered yet. */
import { RedroverError, type ErrorCode } from '@redrover/core';
import type { CommandProgress, CommandResult } from '@redrover/proto';

import { CommandFailure } from './command-failure.ts';

export type CommandProgressListener = (progress: CommandProgress) => void;

export interface CommandOptions {
  /** From sending to the result; the agent is told of it as the command's deadline. */
  readonly timeoutMs: number;
  readonly onProgress?: CommandProgressListener | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long the agent may take to say what it had done when the signal came; 0, the default: not at all. */
  readonly cancelGraceMs?: number;
}

/** The agent's own message on a deadline is the better one: it gets this long to arrive. */
const DEADLINE_GRACE_MS = 1_000;

/** More than any operation has under way on one host; a leak must not grow without bounds. */
const MAX_PENDING = 1_000;

interface Pending {
  readonly description: string;
  readonly onProgress: CommandProgressListener | undefined;
  readonly resolve: (result: CommandResult) => void;
  readonly reject: (error: RedroverError) => void;
}

export class PendingCommands {
  readonly #host: string;
  readonly #pending = new Map<string, Pending>();

  constructor(host: string) {
    this.#host = host;
  }

  /** Waits for the result of command `id`; `cancel` tells the agent that nobody waits any more. */
  wait(
    id: string,
    description: string,
    options: CommandOptions & { readonly cancel: () => void },
  ): Promise<CommandResult> {
    if (this.#pending.size >= MAX_PENDING) {
      const message = `${MAX_PENDING} commands to ${this.#host} are under way; try again later`;
      return Promise.reject(new RedroverError('resource-exhausted', message));
    }
    return new Promise<CommandResult>((resolve, reject) => {
      const { timeoutMs, signal, onProgress, cancel, cancelGraceMs = 0 } = options;
      const isUnsent = signal?.aborted === true;
      const give = (code: ErrorCode, message: string): void => {
        cancel();
        this.#pending.get(id)?.reject(new RedroverError(code, message));
      };
      let timer = setTimeout(
        () => give('deadline-exceeded', `${description}: no answer in ${timeoutMs / 1000} s`),
        timeoutMs + DEADLINE_GRACE_MS,
      );
      const giveUp = (): void => give('cancelled', `${description} was cancelled`);
      const abort = (): void => {
        if (isUnsent || cancelGraceMs === 0) return giveUp();
        cancel();
        clearTimeout(timer);
        timer = setTimeout(giveUp, cancelGraceMs);
      };
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        this.#pending.delete(id);
      };
      this.#pending.set(id, {
        description,
        onProgress,
        resolve: (result) => {
          settle();
          resolve(result);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      });
      if (isUnsent) abort();
      else signal?.addEventListener('abort', abort);
    });
  }

  noteProgress(progress: CommandProgress): void {
    this.#pending.get(progress.id)?.onProgress?.(progress);
  }

  /** @returns false when nobody waits for it (any more). */
  settle(result: CommandResult): boolean {
    const pending = this.#pending.get(result.id);
    if (pending === undefined) return false;
    const { error } = result;
    if (error === undefined) pending.resolve(result);
    else pending.reject(new CommandFailure(error));
    return true;
  }

  /** The session is over: whether they were done is unknown, and seen from the nodes. */
  failAll(reason: string): void {
    for (const { description, reject } of this.#pending.values()) {
      reject(new RedroverError('unavailable', `${description}: ${reason}`));
    }
  }
}
