/**
 * A controller and its agents as real, detached processes on this machine, each agent a "host" of
 * its own on a loopback address. Behind the playground and the tests; what runs on it is theirs.
 *
 * Everything that is started is on record in the stack's directory, so that `stopStack` works on
 * the directory alone, whoever started it and however that ended.
 */
import { RedroverError } from '@redrover/core';
import { HostStatus } from '@redrover/proto';
import { execa } from 'execa';
import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { connectApi } from '../connection/api.ts';
import type { Api } from '../connection/api.ts';
import { endProcess, isRunning } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { diedAtStart, startDetached, tailOf } from './programs.ts';
import type { Programs } from './programs.ts';
import { readEndpoints, readRecord, stackPaths, writeRecord } from './stack-record.ts';
import type { Endpoints, StackHost, StackPaths } from './stack-record.ts';

export interface StackOptions {
  /** Holds everything of the stack. Traversable by the users that nodes run as. */
  readonly directory: string;
  readonly programs: Programs;
  readonly hosts: readonly StackHost[];
  /** Shared by all agents; undefined: the agent's own default. */
  readonly cacheDirectory?: string | undefined;
  readonly env?: NodeJS.ProcessEnv;
}

// Both programs start in about a second; a machine that also compiles may need many times that.
const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 50;

// A redis-server that saves its data may take its time; ten nodes go down side by side.
const STOP_NODES_TIMEOUT_MS = 60_000;
const STOP_PROGRAM_GRACE_MS = 10_000;

export class LocalStack {
  readonly directory: string;
  readonly paths: StackPaths;
  readonly #options: StackOptions;

  constructor(options: StackOptions) {
    this.#options = options;
    this.directory = options.directory;
    this.paths = stackPaths(options.directory);
  }

  /** Starts the controller, then all agents, and waits until the controller sees every host. */
  async start(): Promise<void> {
    mkdirSync(this.directory, { recursive: true });
    // Nodes run as a user of their own and must get through to their directories.
    chmodSync(this.directory, 0o755);
    writeRecord(this.directory, { ...readRecord(this.directory), hosts: this.#options.hosts });
    await this.startController();
    for (const host of this.#options.hosts) await this.startAgent(host.name);
    await this.waitForHosts();
  }

  /** Starts the controller on the ports that it had before, so that agents find it again. */
  async startController(): Promise<Endpoints> {
    const { node, controller } = this.#options.programs;
    const before = readRecord(this.directory).endpoints;
    const listen = [
      ['--api', before?.api],
      ['--agents', before?.agents],
      ['--http', before?.http],
    ].flatMap(([flag, address]) => [flag as string, address ?? '127.0.0.1:0']);
    const logFile = this.paths.log('controller');
    const identity = await startDetached({
      command: node,
      args: [controller, 'run', '--data', this.paths.controllerData, ...listen],
      env: this.#environment(),
      logFile,
    });
    writeRecord(this.directory, { ...readRecord(this.directory), controller: identity });
    await waitUntil(() => readEndpoints(this.directory, identity.pid) !== undefined, {
      process: identity,
      program: 'redrover-controller',
      logFile,
    });
    const endpoints = readEndpoints(this.directory, identity.pid);
    writeRecord(this.directory, { ...readRecord(this.directory), endpoints });
    return this.endpoints();
  }

  /** `address`: as of a host that came back with another one than it had. */
  async startAgent(
    name: string,
    address: string = this.#host(name).address,
  ): Promise<ProcessIdentity> {
    const { node, agent } = this.#options.programs;
    const { labels = {} } = this.#host(name);
    const { cacheDirectory } = this.#options;
    const identity = await startDetached({
      command: node,
      args: [
        agent,
        'run',
        `--host=${name}`,
        `--address=${address}`,
        `--root=${this.paths.hostRoot(name)}`,
        `--controller=${this.endpoints().agents}`,
        `--token-file=${this.paths.agentToken}`,
        ...Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
        ...(cacheDirectory === undefined ? [] : ['--cache', cacheDirectory]),
      ],
      env: this.#environment(),
      logFile: this.paths.log(`agent-${name}`),
    });
    const record = readRecord(this.directory);
    writeRecord(this.directory, { ...record, agents: { ...record.agents, [name]: identity } });
    return identity;
  }

  /** Where the controller listens. Errors: `failed-precondition` before it ever did. */
  endpoints(): Endpoints {
    const { endpoints } = readRecord(this.directory);
    if (endpoints !== undefined) return endpoints;
    throw new RedroverError(
      'failed-precondition',
      `no controller was started in ${this.directory}`,
    );
  }

  /** A client of the stack's controller, to be closed by the caller. */
  connect(timeoutMs?: number): Api {
    const token = readFileSync(this.paths.apiToken, 'utf8').trim();
    return connectApi({ address: this.endpoints().api, token, timeoutMs });
  }

  controllerProcess(): ProcessIdentity | undefined {
    return readRecord(this.directory).controller;
  }

  agentProcess(name: string): ProcessIdentity | undefined {
    return readRecord(this.directory).agents[name];
  }

  /** Resolves when the controller sees every host online. */
  async waitForHosts(): Promise<void> {
    const api = this.connect();
    try {
      const deadlineMs = performance.now() + READY_TIMEOUT_MS;
      for (;;) {
        const missing = await this.#missingHosts(api);
        if (missing.length === 0) return;
        this.#assertAgentsRun(missing);
        if (performance.now() > deadlineMs) throw this.#hostsMissing(missing);
        await delay(POLL_MS);
      }
    } finally {
      api.close();
    }
  }

  async stop(): Promise<void> {
    await stopStack(this.directory, this.#options.programs);
  }

  async #missingHosts(api: Api): Promise<string[]> {
    const { hosts } = await api.hosts.listHosts({});
    const online = new Set(
      hosts.filter(({ status }) => status === HostStatus.ONLINE).map(({ name }) => name),
    );
    return this.#options.hosts.map(({ name }) => name).filter((name) => !online.has(name));
  }

  #assertAgentsRun(names: readonly string[]): void {
    for (const name of names) {
      const identity = this.agentProcess(name);
      if (identity !== undefined && isRunning(identity)) continue;
      throw diedAtStart(`redrover-agent of ${name}`, this.paths.log(`agent-${name}`));
    }
  }

  #hostsMissing(names: readonly string[]): RedroverError {
    const log = tailOf(this.paths.log(`agent-${names[0]}`));
    return new RedroverError(
      'deadline-exceeded',
      `the controller does not see ${names.join(', ')} after ${READY_TIMEOUT_MS / 1000} s; ` +
        `the logs are in ${this.paths.logs}`,
      { context: { log } },
    );
  }

  #host(name: string): StackHost {
    const host = this.#options.hosts.find((each) => each.name === name);
    if (host === undefined) throw new RedroverError('not-found', `no host ${name} in this stack`);
    return host;
  }

  #environment(): NodeJS.ProcessEnv {
    return this.#options.env ?? process.env;
  }
}

/**
 * Stops all that a stack's directory has on record: agents first, so that none restarts a node,
 * then the controller, then every node of its hosts. Stopping twice does nothing more.
 */
export async function stopStack(directory: string, programs: Programs): Promise<void> {
  const record = readRecord(directory);
  const paths = stackPaths(directory);
  const end = (identity: ProcessIdentity): Promise<void> =>
    endProcess(identity, { graceMs: STOP_PROGRAM_GRACE_MS });
  await Promise.all(Object.values(record.agents).map(end));
  if (record.controller !== undefined) await end(record.controller);
  const roots = record.hosts
    .map(({ name }) => paths.hostRoot(name))
    .filter((root) => existsSync(root));
  await Promise.all(roots.map((root) => stopNodes(root, programs)));
  if (record.hosts.length > 0)
    writeRecord(directory, { ...record, controller: undefined, agents: {} });
}

/** Whether anything of it that is on record still runs. */
export function isStackRunning(directory: string): boolean {
  const { controller, agents } = readRecord(directory);
  const all = [controller, ...Object.values(agents)];
  return all.some((identity) => identity !== undefined && isRunning(identity));
}

async function stopNodes(root: string, { node, agent }: Programs): Promise<void> {
  try {
    await execa(node, [agent, 'stop-nodes', '--root', root], { timeout: STOP_NODES_TIMEOUT_MS });
  } catch (error) {
    const { stderr } = error as { stderr?: unknown };
    throw new RedroverError('failed-precondition', `could not stop the nodes under ${root}`, {
      context: { stderr: typeof stderr === 'string' ? stderr : '' },
      cause: error,
    });
  }
}

interface Watched {
  readonly process: ProcessIdentity;
  readonly program: string;
  readonly logFile: string;
}

async function waitUntil(condition: () => boolean, watched: Watched): Promise<void> {
  const deadlineMs = performance.now() + READY_TIMEOUT_MS;
  while (!condition()) {
    if (!isRunning(watched.process)) throw diedAtStart(watched.program, watched.logFile);
    if (performance.now() > deadlineMs) {
      throw new RedroverError(
        'deadline-exceeded',
        `${watched.program} does not listen after ${READY_TIMEOUT_MS / 1000} s; ` +
          `its log is ${watched.logFile}`,
        { context: { log: tailOf(watched.logFile) } },
      );
    }
    await delay(POLL_MS);
  }
}
