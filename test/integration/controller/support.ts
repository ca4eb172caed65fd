/** Starts the built redrover-controller for tests, and dials it. What it must do is in the tests. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import {
  AgentService,
  ClusterService,
  HostService,
  OperationService,
  ReleaseService,
} from '@redrover/proto';
import { createClient, type Client } from '@redrover/wire';

export const CONTROLLER_BUNDLE = resolve(
  import.meta.dirname,
  '../../../dist/redrover-controller.mjs',
);
const WAIT_TIMEOUT_MS = 20_000;
/** A process takes a second of a core to start; a busy machine has a tenth of one for it. */
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 20;

export interface Endpoints {
  readonly pid: number;
  readonly api: string;
  readonly agents: string;
  readonly http: string;
}

/** Polls until the condition holds; the wait is bounded, and says what was waited for. */
export async function until<Value>(
  what: string,
  condition: () => Promise<Value | undefined | false> | Value | undefined | false,
  timeoutMs = WAIT_TIMEOUT_MS,
): Promise<Value> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for: ${what}`);
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

/** A scratch directory, removed with everything in it by `remove`. */
export function scratchDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'redrover-controller-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export class ControllerProcess {
  readonly data: string;
  readonly #child: ChildProcess;
  /** Where the data directory is found from outside the controller's mount namespace. */
  #seenData: string | undefined;
  #output = '';
  readonly #exited: Promise<number | NodeJS.Signals>;

  constructor(data: string, extra: readonly string[] = [], wrapper: readonly string[] = []) {
    this.data = data;
    const listen = ['--api', '--agents', '--http'].flatMap((name) => [name, '127.0.0.1:0']);
    const run = [CONTROLLER_BUNDLE, 'run', '--data', data, ...listen, ...extra];
    const [command = '', ...args] = [...wrapper, process.execPath, ...run];
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const collect = (chunk: Buffer): void => void (this.#output += chunk.toString());
    this.#child.stdout?.on('data', collect);
    this.#child.stderr?.on('data', collect);
    this.#exited = new Promise((done) =>
      this.#child.once('close', (code, signal) => done(signal ?? code ?? 1)),
    );
  }

  /** Starts one and waits until it listens. */
  static async start(data: string, extra: readonly string[] = []): Promise<ControllerProcess> {
    const controller = new ControllerProcess(data, extra);
    await controller.#untilListening();
    return controller;
  }

  /** Starts one with a small file system of its own as data directory; needs root. */
  static async startOnSmallDisk(data: string, size: string): Promise<ControllerProcess> {
    const script = `mount -t tmpfs -o size=${size} tmpfs "$0" && exec "$@"`;
    // Every program of the chain becomes the next one, so that the pid stays the controller's.
    const wrapper = ['unshare', '--mount', 'sh', '-c', script, data];
    const controller = new ControllerProcess(data, [], wrapper);
    controller.#seenData = join('/proc', String(controller.pid), 'root', data);
    await controller.#untilListening();
    return controller;
  }

  get output(): string {
    return this.#output;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get endpoints(): Endpoints {
    return JSON.parse(readFileSync(join(this.#seenData ?? this.data, 'endpoints.json'), 'utf8'));
  }

  token(kind: 'api' | 'agent'): string {
    return readFileSync(join(this.#seenData ?? this.data, `${kind}-token`), 'utf8').trim();
  }

  /** Sends the signal and waits for the end. */
  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | NodeJS.Signals> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal);
    return this.#exited;
  }

  async exitCode(): Promise<number | NodeJS.Signals> {
    return this.#exited;
  }

  async #untilListening(): Promise<void> {
    await until('endpoints.json of this process', () => this.#isListening(), START_TIMEOUT_MS);
  }

  #isListening(): boolean {
    if (this.#child.exitCode !== null) throw new Error(`did not start:\n${this.#output}`);
    try {
      return this.endpoints.pid === this.pid;
    } catch {
      // Not written yet.
      return false;
    }
  }
}

export interface ApiClients {
  readonly hosts: Client<typeof HostService>;
  readonly releases: Client<typeof ReleaseService>;
  readonly clusters: Client<typeof ClusterService>;
  readonly operations: Client<typeof OperationService>;
  close(): void;
}

export function dialApi(
  controller: ControllerProcess,
  token: string | undefined = controller.token('api'),
): ApiClients {
  const { api } = controller.endpoints;
  const clients = {
    hosts: createClient(HostService, api, { token }),
    releases: createClient(ReleaseService, api, { token }),
    clusters: createClient(ClusterService, api, { token }),
    operations: createClient(OperationService, api, { token }),
  };
  const close = (): void => Object.values(clients).forEach((client) => client.close());
  return { ...clients, close };
}

export function dialAgents(
  controller: ControllerProcess,
  token: string | undefined = controller.token('agent'),
): Client<typeof AgentService> {
  return createClient(AgentService, controller.endpoints.agents, { token });
}
