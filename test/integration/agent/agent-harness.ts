/** A real agent process on a root of its own, with a scripted controller, and everything it starts. */
import type { LayoutNode, NodePlan, ProcessState, Step } from '@redrover/core';
import { busPortOf } from '@redrover/core';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import {
  createWriteStream,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { inject } from 'vitest';

import type { BuiltRelease } from '../../support/built-release.ts';
import { distDirectory } from '../../support/paths.ts';
import { createScratchDirectory, type Scratch } from '../../support/scratch.ts';
import { until } from '../../support/until.ts';
import { ScriptedController } from './scripted-controller.ts';

export const PASSWORD = 'correct horse "battery" staple';

export interface HarnessOptions {
  /** Of the root's folder; default `root`. */
  readonly rootName?: string;
  /** Default: a random one below 127. */
  readonly address?: string;
  /** Puts the root on a disk of this size, in a mount namespace of the agent's own; needs root. */
  readonly diskKib?: number;
  /** Of its nodes; default: the one that most tests use. */
  readonly release?: BuiltRelease;
  /** Library that lets `setClock` move the agent's wall clock, and nobody else's. */
  readonly faketime?: string;
}

export class AgentHarness {
  readonly controller = new ScriptedController();
  readonly host = 'h1';
  /** What the next agent is started with, and plans are made for. */
  address: string;
  readonly root: string;
  readonly #release: BuiltRelease;
  readonly #scratch: Scratch;
  readonly #diskKib: number | undefined;
  readonly #faketime: string | undefined;
  /** The mount namespace of an agent that has a disk of its own. */
  #mounts: string | undefined;
  #agent: ChildProcess | undefined;

  private constructor(
    scratch: Scratch,
    { rootName = 'root', address, diskKib, release, faketime }: HarnessOptions,
  ) {
    this.#faketime = faketime;
    this.#release = release ?? inject('release');
    this.#scratch = scratch;
    this.#diskKib = diskKib;
    this.root = join(scratch.path, rootName);
    this.address = address ?? freeAddress();
  }

  static async start(options: HarnessOptions = {}): Promise<AgentHarness> {
    const harness = new AgentHarness(await createScratchDirectory('agent'), options);
    try {
      await writeFile(join(harness.#scratch.path, 'token'), harness.controller.token);
      await harness.#installBuilds();
      await harness.controller.start();
      await harness.startAgent();
      return harness;
    } catch (error) {
      await harness.stop();
      throw error;
    }
  }

  get agentPid(): number {
    const pid = this.#agent?.pid;
    if (pid === undefined) throw new Error('the agent is not running');
    return pid;
  }

  get log(): string {
    return readFileSync(join(this.#scratch.path, 'agent.log'), 'utf8');
  }

  /** Without waiting for its session: the controller may be away. */
  spawnAgent(): void {
    const output = createWriteStream(join(this.#scratch.path, 'agent.log'), { flags: 'a' });
    const args = ['run', '--host', this.host, '--address', this.address, '--root', this.root];
    const session = ['--controller', this.controller.address];
    const token = ['--token-file', join(this.#scratch.path, 'token')];
    const cache = ['--cache', join(this.#scratch.path, 'cache')];
    const bundle = join(distDirectory, 'redrover-agent.mjs');
    const command = [process.execPath, bundle, ...args, ...session, ...token, ...cache];
    const [program = '', ...rest] = [...this.#ownDisk(), ...command];
    const env = { ...process.env, ...this.#clock() };
    const agent = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'], env });
    agent.stdout.pipe(output);
    agent.stderr.pipe(output);
    this.#agent = agent;
  }

  /** A path below the root as the agent sees it, whose disk may be one of its own. */
  inside(path: string): string {
    return this.#diskKib === undefined ? path : join(`/proc/${this.agentPid}/root`, path);
  }

  /** By how many seconds the agent's wall clock is wrong from now on. */
  setClock(seconds: number): void {
    const file = join(this.#scratch.path, 'clock');
    writeFileSync(`${file}.new`, `${seconds < 0 ? '' : '+'}${seconds}`);
    // The library reads it at any moment, so it must never be empty.
    renameSync(`${file}.new`, file);
  }

  #clock(): Record<string, string> {
    if (this.#faketime === undefined) return {};
    this.setClock(0);
    return {
      LD_PRELOAD: this.#faketime,
      FAKETIME_TIMESTAMP_FILE: join(this.#scratch.path, 'clock'),
      FAKETIME_NO_CACHE: '1',
      // As when somebody sets the clock: only the wall clock moves.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  /** What makes the disk before the agent takes the place of the shell; the builds are left out of it. */
  #ownDisk(): string[] {
    if (this.#diskKib === undefined) return [];
    // The disk lives as long as anybody on it: the next agent joins the servers of the last one.
    const [server] = this.#mounts === undefined ? [] : this.serverPids();
    if (server !== undefined) return ['nsenter', `--mount=/proc/${server}/ns/mnt`, '--'];
    const script = `
      set -e
      root=$1; shift
      mkdir "$root.builds"; mount --bind "$root/releases" "$root.builds"
      mount -t tmpfs -o size=${this.#diskKib}k,mode=755 tmpfs "$root"
      mkdir "$root/releases"; mount --bind "$root.builds" "$root/releases"
      exec "$@"
    `;
    return ['unshare', '--mount', 'sh', '-c', script, 'sh', this.root];
  }

  async startAgent(): Promise<void> {
    const hellos = this.controller.hellos.length;
    this.spawnAgent();
    await this.controller.connected(hellos + 1);
    if (this.#diskKib !== undefined) this.#mounts = linkOf(this.agentPid, 'ns/mnt');
  }

  async killAgent(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const agent = this.#agent;
    if (agent === undefined || agent.exitCode !== null || agent.signalCode !== null) return;
    const ended = once(agent, 'close');
    agent.kill(signal);
    await ended;
    this.#agent = undefined;
  }

  /** Ends the agent and every server below the root, and removes all files. */
  async stop(): Promise<void> {
    await this.killAgent();
    for (const pid of this.serverPids()) process.kill(pid, 'SIGKILL');
    await until('the servers to be gone', () => this.serverPids().length === 0);
    this.controller.stop();
    await this.#scratch.remove();
  }

  /** Of all processes whose working directory is below the root, or which live on the agent's own disk. */
  serverPids(): number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) =>
        this.#mounts === undefined
          ? linkOf(pid, 'cwd')?.startsWith(`${this.root}/`)
          : linkOf(pid, 'ns/mnt') === this.#mounts && pid !== this.#agent?.pid,
      );
  }

  /** By its port in the command line, as there may be no agent to ask. Throws if there is none. */
  serverPid(port: number): number {
    const pid = this.serverPids().find((candidate) =>
      readFileSync(`/proc/${candidate}/cmdline`, 'utf8').includes(`:${port} [cluster]`),
    );
    if (pid === undefined) throw new Error(`no server on port ${port}`);
    return pid;
  }

  /** Never signals anything but the server of the port: a missing one is an error. */
  signal(port: number, signal: NodeJS.Signals): void {
    process.kill(this.serverPid(port), signal);
  }

  plan(port: number, change: Partial<NodePlan> = {}): NodePlan {
    const { name: release, product, version } = this.#release;
    return {
      cluster: 'c1',
      clusterId: 'id-of-c1',
      layoutNumber: 1,
      node: this.node(port),
      release,
      product,
      version,
      maxmemoryBytes: undefined,
      nodeTimeoutMs: 2_000,
      config: {},
      ...change,
    };
  }

  node(port: number): LayoutNode {
    return {
      key: this.key(port),
      host: this.host,
      address: this.address,
      port,
      busPort: busPortOf(port),
      shard: 's1',
      preferredRole: 'master',
      configEpoch: 1,
    };
  }

  key(port: number): string {
    return `${this.host}:${port}`;
  }

  async prepare(plan: NodePlan, password = PASSWORD): Promise<void> {
    const step: Step = { kind: 'prepareNode', host: this.host, plan };
    await this.controller.step(step, { password, layoutNumber: plan.layoutNumber });
  }

  /** Prepares and starts a node; answers its pid. */
  async run(plan: NodePlan): Promise<number> {
    await this.prepare(plan);
    const node = plan.node.key;
    const { nodes } = await this.controller.step({ kind: 'startNode', host: this.host, node });
    const pid = nodes[0]?.process.pid;
    if (pid === undefined) throw new Error(`${node} was started and has no pid`);
    return pid;
  }

  /** Observes until the node is in the state. */
  async inState(port: number, state: ProcessState, timeoutMs = 30_000) {
    const key = this.key(port);
    return until(
      `${key} to be ${state}`,
      async () => {
        const [seen] = await this.controller.observe([key]);
        return seen?.process.state === state ? seen : undefined;
      },
      timeoutMs,
    );
  }

  /** Every build in the cache, the one of the test run among them, as the agent had installed it. */
  async #installBuilds(): Promise<void> {
    for (const { directory, release, platform } of cachedBuilds()) {
      const target = join(this.root, 'releases', `${release}-${platform}`);
      await mkdir(dirname(target), { recursive: true });
      await cp(directory, target, { recursive: true });
    }
  }
}

/** An address of its own below 127: no other test's ports are in the way. */
export function freeAddress(): string {
  return `127.${randomInt(64, 255)}.${randomInt(0, 256)}.${randomInt(1, 255)}`;
}

export interface CachedBuild {
  readonly directory: string;
  readonly release: string;
  readonly platform: string;
}

/** What previous runs have compiled, whatever the releases. */
export function cachedBuilds(): CachedBuild[] {
  const builds = dirname(dirname(inject('release').binDirectory));
  return readdirSync(builds)
    .filter((name) => /^[0-9a-f]{64}$/.test(name))
    .map((name) => {
      const directory = join(builds, name);
      const text = readFileSync(join(directory, 'provenance.json'), 'utf8');
      return { ...(JSON.parse(text) as CachedBuild), directory };
    });
}

function linkOf(pid: number, name: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/${name}`);
  } catch {
    // Gone meanwhile, or a kernel thread.
    return undefined;
  }
}
