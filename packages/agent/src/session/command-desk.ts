/**
 * The commands under way: each with its deadline and its way to be cancelled. They go on while the
 * connection is broken; their results are posted when they end.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { RedroverError } from '@redrover/core';
import type { Command } from '@redrover/proto';
import { commandErrorToProto, moveProgressToProto, moveReportToProto } from '@redrover/wire';
import type { Logger } from 'pino';
import { AGENT_ENDS } from '../migrate/move-desk.ts';
import { MoveError } from '../migrate/move-error.ts';
import type { OutgoingMessage } from './outbox.ts';
import { ProgressLines } from './progress-lines.ts';
import { runCommand, type CommandRun, type CommandSources } from './run-command.ts';

export interface DeskOptions {
  readonly sources: CommandSources;
  /** Delivered also after a reconnect. */
  readonly postResult: (message: OutgoingMessage) => void;
  /** Delivered if there is a connection. */
  readonly postProgress: (message: OutgoingMessage) => void;
  readonly now: () => number;
  readonly log: Logger;
}

/** A controller that sends more has lost its mind; each one costs memory. */
const MAX_COMMANDS = 500;

interface Begun {
  readonly cancel: AbortController;
  readonly isAwaited: () => boolean;
}

export class CommandDesk {
  readonly #options: DeskOptions;
  readonly #running = new Map<string, AbortController>();
  readonly #ends = new Set<Promise<void>>();

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /**
   * Begins the command; one that is under way already is not begun twice. `isAwaited`: whether the session that it came
   * by lasts, as a controller gives a command up with its session.
   */
  begin(command: Command, isAwaited: () => boolean): void {
    const { id } = command;
    if (this.#running.has(id)) return;
    const cancel = new AbortController();
    this.#running.set(id, cancel);
    const end = this.#run(command, { cancel, isAwaited }).finally(() => {
      this.#running.delete(id);
      this.#ends.delete(end);
    });
    this.#ends.add(end);
  }

  cancel(id: string): void {
    const reason = new RedroverError('cancelled', 'the controller cancelled the command');
    this.#running.get(id)?.abort(reason);
  }

  /** The agent ends: what is under way is given up, the nodes are left as they are, movers go on. */
  cancelAll(): void {
    for (const cancel of this.#running.values()) cancel.abort(AGENT_ENDS);
  }

  /** Resolves when nothing is under way, or when the time is up. */
  async settle(timeoutMs: number): Promise<void> {
    await Promise.race([Promise.all(this.#ends), delay(timeoutMs)]);
  }

  async #run(command: Command, { cancel, isAwaited }: Begun): Promise<void> {
    const { id } = command;
    const { sources, postResult, postProgress, log } = this.#options;
    const progress = new ProgressLines((line) =>
      postProgress({ case: 'progress', value: { id, line } }),
    );
    const stopTimer = this.#watchDeadline(command, cancel);
    const what =
      command.command.case === 'step' ? command.command.value.step?.step.case : undefined;
    try {
      if (this.#running.size > MAX_COMMANDS) {
        throw new RedroverError('resource-exhausted', `${MAX_COMMANDS} commands are under way`);
      }
      const run: CommandRun = {
        signal: cancel.signal,
        isAwaited,
        onLine: (line) => progress.add(line),
        onMove: (move) =>
          postProgress({ case: 'progress', value: { id, move: moveProgressToProto(move) } }),
      };
      const result = await runCommand(command, sources, run);
      progress.flush();
      postResult({ case: 'result', value: { id, result } });
    } catch (thrown) {
      progress.flush();
      const error = RedroverError.from(thrown);
      log.info({ err: error, command: command.command.case, step: what }, 'a command failed');
      const answer = commandErrorToProto(error);
      if (error instanceof MoveError) answer.move = moveReportToProto(error.report);
      postResult({ case: 'result', value: { id, error: answer } });
    } finally {
      stopTimer();
    }
  }

  #watchDeadline({ deadline }: Command, cancel: AbortController): () => void {
    if (deadline === undefined) return () => {};
    const leftMs = timestampMs(deadline) - this.#options.now();
    const expire = (): void =>
      cancel.abort(
        new RedroverError('deadline-exceeded', 'the command took longer than it was given'),
      );
    if (leftMs <= 0) {
      cancel.abort(
        new RedroverError(
          'fenced',
          `the deadline of the command had passed ${-leftMs} ms before it arrived; if this keeps ` +
            'happening, compare the clocks of this host and the controller',
        ),
      );
      return () => {};
    }
    // setTimeout takes no more than 2^31 ms, some 24 days.
    const timer = setTimeout(expire, Math.min(leftMs, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  }
}
