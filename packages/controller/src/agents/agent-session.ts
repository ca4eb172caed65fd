/**
 * One agent's stream: commands down, reports up. Which session a host's commands go to is
 * `agents.ts`'s business, what reports mean that of `hosts.ts` and `observations.ts`.
 */
import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';

import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { RedroverError } from '@redrover/core';
import {
  SessionResponseSchema,
  type CommandResult,
  type CommandSchema,
  type Hello,
  type SessionRequest,
  type SessionResponse,
} from '@redrover/proto';
import { toGrpcError } from '@redrover/wire';

import { SUSPECT_AFTER_MS } from './liveness.ts';
import { PendingCommands, type CommandOptions } from './pending-commands.ts';

export type SessionCall = ServerDuplexStream<SessionRequest, SessionResponse>;
type SessionMessage = NonNullable<MessageInitShape<typeof SessionResponseSchema>['message']>;
export type CommandBody = NonNullable<MessageInitShape<typeof CommandSchema>['command']>;

export class AgentSession {
  readonly host: string;
  readonly runId: string;
  readonly pending: PendingCommands;
  readonly #call: SessionCall;
  readonly #refusal: string;
  #lastMessageTick = performance.now();
  #isOpen = true;

  /** `refusal`: why this controller may not command the agent; empty if it may. */
  constructor(call: SessionCall, hello: Hello, refusal: string) {
    this.#call = call;
    this.#refusal = refusal;
    this.host = hello.host;
    this.runId = hello.agentRunId;
    this.pending = new PendingCommands(hello.host);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether the agent at the other end has said something lately. */
  get isAlive(): boolean {
    return this.#isOpen && performance.now() - this.#lastMessageTick < SUSPECT_AFTER_MS;
  }

  noteMessage(): void {
    this.#lastMessageTick = performance.now();
  }

  send(message: SessionMessage): void {
    if (this.#isOpen) this.#call.write(create(SessionResponseSchema, { message }));
  }

  /**
   * Sends a command and waits for its result.
   *
   * @param description what it is for people, for example `startNode h1:6379`.
   * @throws RedroverError what the agent reported; `unavailable` when the session ends first,
   *   `deadline-exceeded` when no answer comes in time, `fenced` when the agent follows a newer
   *   incarnation.
   */
  async command(
    description: string,
    command: CommandBody,
    options: CommandOptions,
  ): Promise<CommandResult> {
    if (this.#refusal !== '') throw new RedroverError('fenced', this.#refusal);
    if (!this.#isOpen) {
      throw new RedroverError('unavailable', `${description}: ${this.host} is not connected`);
    }
    const id = randomUUID();
    const cancel = (): void => this.send({ case: 'cancel', value: { id } });
    const result = this.pending.wait(id, description, { ...options, cancel });
    const deadline = timestampFromMs(Date.now() + options.timeoutMs);
    if (options.signal?.aborted !== true) {
      this.send({ case: 'command', value: { id, deadline, command } });
    }
    return result;
  }

  /** Ends the stream; commands under way fail as `unavailable`. */
  close(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.pending.failAll(reason);
    if (!this.#call.destroyed) {
      this.#call.emit('error', toGrpcError(new RedroverError('unavailable', reason)));
    }
  }
}
