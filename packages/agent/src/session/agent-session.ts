/**
 * The session with the controller: dials, says hello, reports, takes commands, and dials again when
 * the connection breaks. Supervision and work under way do not depend on it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { RedroverError } from '@redrover/core';
import type { HelloSchema, SessionRequestSchema, SessionResponse, Welcome } from '@redrover/proto';
import { clusterViewToProto, sharedView, type BidiCall } from '@redrover/wire';
import type { Logger } from 'pino';
import type { FenceStore } from '../fence/fence-store.ts';
import type { OpenClient } from './blob-transfer.ts';
import { CommandDesk } from './command-desk.ts';
import type { HeartbeatReader } from './heartbeat.ts';
import { Outbox, type OutgoingMessage } from './outbox.ts';
import { reconnectDelayMs } from './reconnect-delay.ts';
import type { CommandSources } from './run-command.ts';
import { ViewCache } from './view-cache.ts';

export interface SessionOptions {
  /** `host:port` of the controller's agent listener, for messages. */
  readonly controller: string;
  readonly open: OpenClient;
  readonly hello: () => Promise<MessageInitShape<typeof HelloSchema>>;
  readonly heartbeat: HeartbeatReader;
  readonly commands: CommandSources;
  readonly fences: FenceStore;
  readonly now: () => number;
  readonly log: Logger;
}

type Call = BidiCall<MessageInitShape<typeof SessionRequestSchema>, SessionResponse>;

/** What the contract allows (`Welcome.heartbeat_interval_ms`). */
const MIN_INTERVAL_MS = 200;
const MAX_INTERVAL_MS = 60_000;
/** A cancelled command ends its processes within 5 s (`nodes/preflight.ts`, `build/run-command.ts`). */
const SETTLE_MS = 8_000;

/** Results of commands that only look. */
const LOOKS: ReadonlySet<string | undefined> = new Set(['observation', 'survey', 'log', 'build']);

/** Whether a command may have changed what a heartbeat reads rarely: disk, ports, builds. */
function mayHaveChanged(message: OutgoingMessage): boolean {
  return message.case !== 'result' || !LOOKS.has(message.value.result?.case);
}

export class AgentSession {
  readonly #options: SessionOptions;
  readonly #outbox = new Outbox();
  readonly #views = new ViewCache();
  readonly #desk: CommandDesk;
  #call: Call | undefined;
  #isWelcome = false;
  #failures = 0;
  #bell = new AbortController();

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#desk = new CommandDesk({
      sources: options.commands,
      postResult: (message) => {
        if (mayHaveChanged(message)) options.heartbeat.refresh();
        this.#outbox.post(message);
      },
      postProgress: (message) => void this.#trySend(message),
      now: options.now,
      log: options.log,
    });
  }

  /** Whether a controller has welcomed this agent and is still heard. */
  get isConnected(): boolean {
    return this.#isWelcome;
  }

  /** Sends the next heartbeat now: something has changed that others wait for. */
  beatNow(): void {
    this.#bell.abort();
  }

  /** Keeps a session until the signal is aborted. Never throws because of the controller. */
  async run(signal: AbortSignal): Promise<void> {
    const { log, controller } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#connectOnce(signal);
        this.#failures += 1;
        log.info({ controller }, 'the controller ended the session');
      } catch (thrown) {
        if (signal.aborted) break;
        this.#failures += 1;
        const { code, message } = RedroverError.from(thrown);
        // The first says what is wrong; the others would only fill the log.
        const level = this.#failures === 1 ? 'warn' : 'debug';
        log[level]({ controller, code, reason: message }, 'no session with the controller');
      }
      const delayMs = reconnectDelayMs(this.#failures, Math.random());
      await delay(delayMs, undefined, { signal }).catch(() => {});
    }
    this.#desk.cancelAll();
    // So that no trial server and no compiler outlives the agent.
    await this.#desk.settle(SETTLE_MS);
  }

  /** One connection, from the dial to its end. */
  async #connectOnce(signal: AbortSignal): Promise<void> {
    const { open, hello, log, controller } = this.#options;
    const client = await open();
    const ended = new AbortController();
    try {
      const call = client.session({ signal });
      this.#call = call;
      await call.send({ message: { case: 'hello', value: await hello() } });
      for await (const { message } of call.messages) {
        switch (message.case) {
          case 'welcome':
            this.#failures = 0;
            this.#isWelcome = true;
            log.info({ controller }, 'connected to the controller');
            await this.#noteIncarnation(message.value);
            this.#outbox.open((result) => call.send({ message: result }));
            void this.#beat(call, message.value, ended.signal);
            break;
          case 'command':
            this.#desk.begin(message.value, () => this.#call === call);
            break;
          case 'cancel':
            this.#desk.cancel(message.value.id);
            break;
          case 'viewsWanted':
            await this.#sendViews(message.value.hashes);
            break;
          case undefined:
            log.debug('the controller sent a message that this agent does not know');
        }
      }
    } finally {
      ended.abort();
      this.#outbox.close();
      this.#call = undefined;
      this.#isWelcome = false;
      client.close();
    }
  }

  /** An older controller may look on, but each of its commands is refused by its fence. */
  async #noteIncarnation(welcome: Welcome): Promise<void> {
    const { fences, log } = this.#options;
    try {
      await fences.acceptIncarnation(Number(welcome.incarnation));
    } catch (thrown) {
      log.error({ err: thrown }, 'this controller may not command this host');
    }
  }

  async #beat(call: Call, welcome: Welcome, ended: AbortSignal): Promise<void> {
    const wanted = welcome.heartbeatIntervalMs;
    const intervalMs = Math.min(Math.max(wanted, MIN_INTERVAL_MS), MAX_INTERVAL_MS);
    while (!ended.aborted) {
      const startedAt = performance.now();
      // Before anything is read: what changes after that is of the next one.
      this.#bell = new AbortController();
      try {
        const { message, observations } = await this.#options.heartbeat.read();
        this.#views.note(observations);
        await call.send({ message: { case: 'heartbeat', value: message } });
      } catch (thrown) {
        if (ended.aborted) return;
        this.#options.log.warn({ err: thrown }, 'a heartbeat could not be sent');
      }
      const leftMs = intervalMs - (performance.now() - startedAt);
      const signal = AbortSignal.any([ended, this.#bell.signal]);
      await delay(Math.max(leftMs, 0), undefined, { signal }).catch(() => {});
    }
  }

  async #sendViews(hashes: readonly string[]): Promise<void> {
    const views = this.#views.find(hashes).map((view) => clusterViewToProto(sharedView(view)));
    if (views.length > 0) await this.#trySend({ case: 'views', value: { views } });
  }

  /** For what is worth nothing later: dropped when there is no connection. */
  async #trySend(message: OutgoingMessage): Promise<void> {
    try {
      await this.#call?.send({ message });
    } catch {
      // The receiving loop sees the end of the connection and says so.
    }
  }
}
