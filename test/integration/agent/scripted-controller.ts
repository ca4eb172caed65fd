/** A controller without any mind of its own: tests send commands through it and see what comes back. */
import { create } from '@bufbuild/protobuf';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Fence, NodeObservation, Step } from '@redrover/core';
import {
  AgentService,
  type CommandSchema,
  SessionResponseSchema,
  type ClusterView,
  type CommandResult,
  type Heartbeat,
  type Hello,
  type SessionRequest,
  type SessionResponse,
} from '@redrover/proto';
import {
  commandErrorFromProto,
  fenceToProto,
  nodeObservationFromProto,
  serverChannelOptions,
  stepToProto,
  toServiceDefinition,
} from '@redrover/wire';
import { randomUUID } from 'node:crypto';

import { until } from '../../support/until.ts';

export type CommandBody = NonNullable<MessageInitShape<typeof CommandSchema>['command']>;

type Call = ServerDuplexStream<SessionRequest, SessionResponse>;

export interface SentCommand {
  readonly id: string;
  /** Settles with whichever connection brings the result. */
  readonly result: Promise<CommandResult>;
}

const TOKEN = 'scripted-controller';
/** Quicker than a real one, so that tests need not wait for a second. */
const HEARTBEAT_MS = 200;

export class ScriptedController {
  readonly token = TOKEN;
  incarnation = 1;
  heartbeatMs = HEARTBEAT_MS;
  readonly hellos: Hello[] = [];
  readonly progress: string[] = [];
  /** What those who move slots have said that they do. */
  readonly moveStates: string[] = [];
  lastHeartbeat: Heartbeat | undefined;
  readonly #views: ClusterView[] = [];
  #server: Server | undefined;
  #port = 0;
  #call: Call | undefined;
  readonly #waiting = new Map<string, (result: CommandResult) => void>();

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Listens; after `stop`, on the same port again. */
  async start(): Promise<void> {
    const server = new Server(serverChannelOptions());
    server.addService(toServiceDefinition(AgentService), {
      session: (call: Call) => this.#serve(call),
    });
    this.#port = await new Promise<number>((resolve, reject) => {
      const address = `127.0.0.1:${this.#port}`;
      server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    this.#server = server;
  }

  /** Cuts every connection. */
  stop(): void {
    this.#call = undefined;
    this.#server?.forceShutdown();
    this.#server = undefined;
  }

  async connected(hellos = 1): Promise<Hello> {
    return until(`hello ${hellos} of the agent`, () => this.hellos[hellos - 1]);
  }

  /** The agent's last heartbeat that satisfies the condition. */
  async heartbeat(what: string, wanted: (beat: Heartbeat) => boolean): Promise<Heartbeat> {
    return until(what, () => {
      const beat = this.lastHeartbeat;
      return beat !== undefined && wanted(beat) ? beat : undefined;
    });
  }

  async send(command: CommandBody, timeoutMs = 60_000): Promise<SentCommand> {
    const call = await until('a session', () => this.#call);
    const id = randomUUID();
    const result = new Promise<CommandResult>((resolve) => this.#waiting.set(id, resolve));
    const deadline = timestampFromMs(Date.now() + timeoutMs);
    write(call, { case: 'command', value: { id, deadline, command } });
    return { id, result };
  }

  /** Asks for views by hash, as for those that no heartbeat has brought yet. */
  async wantViews(hashes: readonly string[]): Promise<ClusterView[]> {
    const call = await until('a session', () => this.#call);
    write(call, { case: 'viewsWanted', value: { hashes: [...hashes] } });
    return until('the views', () => {
      const found = this.#views.filter((view) => hashes.includes(view.hash));
      return found.length === hashes.length ? found : undefined;
    });
  }

  async cancel(id: string): Promise<void> {
    write(await until('a session', () => this.#call), { case: 'cancel', value: { id } });
  }

  /** The observations of the step's result; throws the error that the agent reported. */
  async step(step: Step, options: Partial<Fence> & { password?: string } = {}) {
    const { result } = await this.send(this.stepCommand(step, options));
    const { error, result: answer } = await result;
    if (error !== undefined) throw commandErrorFromProto(error);
    if (answer.case !== 'step') throw new Error(`a step was answered with ${answer.case}`);
    return {
      message: answer.value.message,
      nodes: answer.value.nodes.map((node): NodeObservation => nodeObservationFromProto(node)),
    };
  }

  stepCommand(step: Step, options: Partial<Fence> & { password?: string } = {}): CommandBody {
    const { password, ...fence } = options;
    const whole: Fence = {
      incarnation: this.incarnation,
      cluster: 'c1',
      operationId: 'op1',
      layoutNumber: 1,
      expiresAtMs: Date.now() + 60_000,
      preconditions: { nodeId: '', role: '' },
      ...fence,
    };
    const secrets = password === undefined ? {} : { secrets: { password } };
    const value = { step: stepToProto(step), fence: fenceToProto(whole), ...secrets };
    return { case: 'step', value };
  }

  /** What the agent sees of the nodes now. */
  async observe(nodes: readonly string[] = []): Promise<NodeObservation[]> {
    const { result } = await this.send({ case: 'observeNodes', value: { nodes: [...nodes] } });
    const { error, result: answer } = await result;
    if (error !== undefined) throw commandErrorFromProto(error);
    if (answer.case !== 'observation') throw new Error(`answered with ${answer.case}`);
    return answer.value.nodes.map((node) => nodeObservationFromProto(node));
  }

  #serve(call: Call): void {
    call.on('error', () => {});
    call.on('end', () => call.end());
    if (call.metadata.get('authorization')[0] !== `Bearer ${TOKEN}`) {
      call.emit('error', { code: 16, details: 'wrong token' });
      return;
    }
    call.on('data', (request: SessionRequest) => this.#receive(call, request));
  }

  #receive(call: Call, { message }: SessionRequest): void {
    switch (message.case) {
      case 'hello':
        this.#call = call;
        write(call, {
          case: 'welcome',
          value: {
            controllerId: 'scripted',
            incarnation: BigInt(this.incarnation),
            heartbeatIntervalMs: this.heartbeatMs,
          },
        });
        this.hellos.push(message.value);
        return;
      case 'heartbeat':
        this.lastHeartbeat = message.value;
        return;
      case 'progress':
        this.progress.push(message.value.line);
        if (message.value.move !== undefined) this.moveStates.push(message.value.move.state);
        return;
      case 'result':
        this.#waiting.get(message.value.id)?.(message.value);
        return;
      case 'views':
        this.#views.push(...message.value.views);
        return;
      case undefined:
    }
  }
}

function write(
  call: Call,
  message: NonNullable<MessageInitShape<typeof SessionResponseSchema>['message']>,
): void {
  call.write(create(SessionResponseSchema, { message }));
}
