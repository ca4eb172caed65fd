/**
 * Speaks the agent's protocol by script, for tests of the controller's sessions alone. Everything
 * with Redis in it is tested with the real agent.
 */
import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  ProcessState,
  type AgentService,
  type Command,
  type SessionRequestSchema,
  type SessionResponse,
  type Welcome,
} from '@redrover/proto';
import type { BidiCall, Client } from '@redrover/wire';
import { timestampToProto } from '@redrover/wire';

import { until } from './support.ts';

type Request = NonNullable<MessageInitShape<typeof SessionRequestSchema>['message']>;
type Heartbeat = Extract<Request, { case: 'heartbeat' }>['value'];
type Result = Extract<Request, { case: 'result' }>['value'];

export interface AgentIdentity {
  readonly host: string;
  readonly address?: string;
  readonly runId?: string;
  readonly incarnation?: bigint;
  /** Answers each question for nodes by itself: there are none. */
  readonly answersObservations?: boolean;
  /** Told in the hello. */
  readonly builds?: readonly { readonly id: string; readonly release: string }[];
  /** @returns whether the command was answered; it is kept in `commands` otherwise. */
  readonly onCommand?: (command: Command) => Promise<boolean>;
  /** A command is not waited for any more. */
  readonly onCancel?: (command: string) => void;
}

export class ScriptedAgent {
  welcome: Welcome | undefined;
  readonly commands: Command[] = [];
  readonly cancelled: string[] = [];
  readonly viewsWanted: string[] = [];
  /** What ended the session; undefined while it lasts. */
  ended: { readonly error: unknown } | undefined;
  readonly #call: BidiCall<MessageInitShape<typeof SessionRequestSchema>, SessionResponse>;

  /** Told in every heartbeat. */
  usedPorts: number[] = [];
  readonly #identity: AgentIdentity;

  constructor(client: Client<typeof AgentService>, identity: AgentIdentity) {
    this.#identity = identity;
    this.#call = client.session();
    void this.#read();
    void this.send({
      case: 'hello',
      value: {
        host: identity.host,
        address: identity.address ?? '127.0.0.1',
        agentRunId: identity.runId ?? `${identity.host}-run`,
        incarnation: identity.incarnation ?? 0n,
        labels: { zone: 'a' },
        builds: [...(identity.builds ?? [])],
        facts: {
          hostname: identity.host,
          cores: 2,
          memoryBytes: 8n * 1024n ** 3n,
          diskTotalBytes: 1000n,
          diskFreeBytes: 900n,
          os: 'debian 12',
          arch: 'x86_64',
          platform: 'linux-x86_64-glibc2.36-debian12',
          agentVersion: '0.1.0',
          rootDirectory: '/usr/local/redis',
        },
      },
    }).catch(() => undefined);
  }

  /** Dials and waits for the welcome. */
  static async connect(
    client: Client<typeof AgentService>,
    identity: AgentIdentity,
  ): Promise<ScriptedAgent> {
    const agent = new ScriptedAgent(client, identity);
    await until('the welcome', () => agent.welcome !== undefined || agent.ended !== undefined);
    if (agent.ended !== undefined) throw agent.ended.error;
    return agent;
  }

  async send(message: Request): Promise<void> {
    await this.#call.send({ message });
  }

  async beat(heartbeat: Heartbeat = {}): Promise<void> {
    await this.send({
      case: 'heartbeat',
      value: {
        sentAt: timestampToProto(Date.now()),
        diskFreeBytes: 900n,
        usedPorts: this.usedPorts,
        ...heartbeat,
      },
    });
  }

  async nextCommand(kind: NonNullable<Command['command']['case']>): Promise<Command> {
    return until(`a ${kind} command`, () => {
      const index = this.commands.findIndex((command) => command.command.case === kind);
      return index < 0 ? undefined : this.commands.splice(index, 1)[0];
    });
  }

  async answer(result: Result): Promise<void> {
    await this.send({ case: 'result', value: result });
  }

  /** As a killed process would: the stream just ends. */
  drop(): void {
    this.#call.cancel();
  }

  async #receive(command: Command): Promise<void> {
    const { value, case: kind } = command.command;
    if ((await this.#identity.onCommand?.(command)) === true) return;
    if (kind !== 'observeNodes' || this.#identity.answersObservations !== true) {
      this.commands.push(command);
      return;
    }
    const { host } = this.#identity;
    const nodes = value.nodes.map((key) => ({
      key,
      host,
      port: Number(key.split(':')[1]),
      observedAt: timestampToProto(Date.now()),
      process: { state: ProcessState.ABSENT },
    }));
    await this.answer({ id: command.id, result: { case: 'observation', value: { nodes } } });
  }

  async #read(): Promise<void> {
    try {
      for await (const { message } of this.#call.messages) {
        if (message.case === 'welcome') this.welcome = message.value;
        if (message.case === 'command') await this.#receive(message.value);
        if (message.case === 'cancel') {
          this.cancelled.push(message.value.id);
          this.#identity.onCancel?.(message.value.id);
        }
        if (message.case === 'viewsWanted') this.viewsWanted.push(...message.value.hashes);
      }
      this.ended = { error: undefined };
    } catch (error) {
      this.ended = { error };
    }
  }
}
