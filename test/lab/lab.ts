/**
 * A lab: hosts to crash, cut off and fill up, on a switch that leads nowhere else, with a
 * controller and agents on them as an operator would run them. Everything of it, files included,
 * is in namespaces that end with the process that started it. Root only.
 *
 *   const lab = await Lab.start({ hosts: 3 });   // h1, h2, h3, controller, client
 *   await lab.crash('h2');                       // no goodbye; what was written stays
 *   await lab.boot('h2');                        // its agent starts, as after any boot
 *   await lab.stop();
 */
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';

import { distDirectory, repositoryRoot } from '../support/paths.ts';
import { until } from '../support/until.ts';
import { ended, signalInside } from './command.ts';
import type { CommandOptions, CommandResult } from './command.ts';
import { Enclosure, scriptPath } from './enclosure.ts';
import { HOST_ENVIRONMENT, LabHost } from './lab-host.ts';
import type { LostContent } from './lab-host.ts';
import { Network } from './network.ts';
import { findLabRelease } from './release.ts';
import type { LabRelease } from './release.ts';

export interface LabOptions {
  /** Hosts for Redis, named h1, h2, … Default 3. */
  readonly hosts?: number;
  /** Size of each host's disk, in memory as far as it is used. Default 1024 MiB. */
  readonly diskMb?: number;
  /** Whether a controller and agents run. Default true. */
  readonly withController?: boolean;
  /** Labels `zone=…` of the hosts, dealt in turn. Default: none. */
  readonly zones?: readonly string[];
  /** Whether `powerCut` works: what is synced is noted, at some cost. Default false. */
  readonly durability?: boolean;
  /** Whether `setClock` works. Default false. */
  readonly clock?: boolean;
}

export interface BootOptions {
  /** Default: the one that it had. */
  readonly address?: string;
  /** Whether its agent starts. Default true in a lab with a controller. */
  readonly agent?: boolean;
}

export const CONTROLLER = 'controller';
export const CLIENT = 'client';

const CONTROLLER_ADDRESS = '10.77.0.2';
const CLIENT_ADDRESS = '10.77.0.3';
const API = `${CONTROLLER_ADDRESS}:7400`;
const AGENTS = `${CONTROLLER_ADDRESS}:7401`;
const DATA = '/var/lib/redrover';
const TOKEN_FILE = '/etc/redrover/agent-token';
const DEFAULT_DISK_MB = 1_024;

// A port (discard) where nobody listens: being refused is an answer, too.
const KNOCK = `
import socket, sys
try:
    socket.create_connection((sys.argv[1], 9), timeout=2)
except ConnectionRefusedError:
    pass
except OSError:
    sys.exit(1)
`;

// A controller starts in a second; one that shares two cores with a whole lab may need many.
const READY_TIMEOUT_MS = 60_000;

export class Lab {
  readonly release: string;
  readonly hostNames: readonly string[];
  readonly network: Network;
  readonly #enclosure: Enclosure;
  readonly #release: LabRelease;
  readonly #options: LabOptions;
  readonly #hosts = new Map<string, LabHost>();
  readonly #agents = new Map<string, ChildProcess>();
  /** By host: when its agent was started last, by this machine's clock. */
  readonly #agentStartsMs = new Map<string, number>();
  /** How far the controller's time of day is off. */
  #controllerShiftMs = 0;
  #controller: ChildProcess | undefined;

  private constructor(enclosure: Enclosure, release: LabRelease, options: LabOptions) {
    this.#enclosure = enclosure;
    this.#release = release;
    this.#options = options;
    this.release = release.name;
    this.network = new Network(enclosure);
    this.hostNames = Array.from({ length: options.hosts ?? 3 }, (_, index) => `h${index + 1}`);
    for (const name of [CONTROLLER, CLIENT, ...this.hostNames]) {
      this.#hosts.set(name, new LabHost(name, enclosure));
    }
  }

  static async start(options: LabOptions = {}): Promise<Lab> {
    const release = findLabRelease();
    const enclosure = await Enclosure.open({
      programs: distDirectory,
      cache: release.cache,
      archive: release.archive,
      archiveName: `${release.name}.tar.gz`,
      preload: preloadFor(options),
      modules: join(repositoryRoot, 'node_modules'),
    });
    const lab = new Lab(enclosure, release, options);
    try {
      await lab.#bringUp();
      return lab;
    } catch (error) {
      await lab.stop();
      throw error;
    }
  }

  /** Ends every process, and with that all mounts and the network. */
  async stop(): Promise<void> {
    await this.#enclosure.close();
  }

  // --- hosts

  /** Runs a program on a host, as root. Errors: an exit code other than 0 unless told otherwise. */
  async exec(host: string, argv: readonly string[], options?: CommandOptions) {
    return this.host(host).exec(argv, options);
  }

  /** Starts a program on a host, as root, with pipes; end it with `endGroup` of command.ts. */
  spawn(host: string, argv: readonly string[], env?: Record<string, string>): ChildProcess {
    return this.host(host).spawn(argv, { stdio: 'pipe', env });
  }

  addressOf(host: string): string {
    return this.network.addressOf(host);
  }

  isUp(host: string): boolean {
    return this.host(host).isUp;
  }

  /** The host is gone at once and says goodbye to nobody; what its programs wrote is on its disk. */
  async crash(host: string): Promise<void> {
    await this.network.unplug(host);
    await this.host(host).kill();
    this.#agents.delete(host);
  }

  /**
   * A crash after which every file is as it was last synced; see power-cut.py for the model. Says
   * which files have changed. Only in labs with `durability`.
   */
  async powerCut(host: string): Promise<LostContent[]> {
    this.#assert('durability');
    await this.crash(host);
    return this.host(host).losePower();
  }

  /** All that is on the host's disk is durable from now on. Only in labs with `durability`. */
  async settleDisk(host: string): Promise<void> {
    this.#assert('durability');
    await this.host(host).settleDisk();
  }

  /** Lets the host's disk end right after what is on it; /tmp and /run are not on it. */
  async fillDisk(host: string, { spareKb = 0 }: { readonly spareKb?: number } = {}) {
    await this.host(host).fillDisk(spareKb);
  }

  async freeDisk(host: string): Promise<void> {
    await this.host(host).freeDisk();
  }

  /** How far the host's time of day is off, at once and also after a boot. 0: not at all. */
  async setClock(host: string, offsetSeconds: number): Promise<void> {
    this.#assert('clock');
    await this.host(host).setClock(offsetSeconds);
    if (host === CONTROLLER) this.#controllerShiftMs = offsetSeconds * 1_000;
  }

  async boot(host: string, options: BootOptions = {}): Promise<void> {
    if (this.#options.durability ?? false) await this.host(host).settleDisk();
    await this.host(host).boot();
    await this.network.plugIn(this.host(host), options.address ?? this.addressOf(host));
    if (options.agent ?? this.#hasAgent(host)) await this.startAgent(host);
  }

  /** Sends a signal to a process, by its pid on the host. */
  async kill(host: string, pid: number, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.host(host).signal(pid, signal);
  }

  /** Stops a process where it stands: it lives and answers nothing. */
  async pause(host: string, pid: number): Promise<void> {
    await this.kill(host, pid, 'SIGSTOP');
    await until(`process ${pid} of ${host} is stopped`, async () => {
      const status = await readFile(this.host(host).path(`/proc/${pid}/status`), 'utf8');
      return /^State:\s+T/m.test(status);
    });
  }

  async resume(host: string, pid: number): Promise<void> {
    await this.kill(host, pid, 'SIGCONT');
  }

  // --- network

  /** Cuts one host off from all others. */
  async isolate(host: string): Promise<void> {
    await this.network.isolate(host);
  }

  /** Two hosts, or two groups, reach each other no more. */
  async partition(one: string | readonly string[], other: string | readonly string[]) {
    await this.network.partition([one].flat(), [other].flat());
  }

  /** Everybody reaches the host again, or all hosts each other. */
  async heal(host?: string): Promise<void> {
    await this.network.heal(host);
  }

  /** Whether a packet and its answer get through between two hosts, at this moment. */
  async reaches(from: string, to: string): Promise<boolean> {
    const argv = ['python3', '-c', KNOCK, this.addressOf(to)];
    return (await this.exec(from, argv, { reject: false })).exitCode === 0;
  }

  // --- Redrover

  async startController(): Promise<void> {
    const program = ['run', '--data', DATA, '--api', API, '--agents', AGENTS];
    const argv = ['/opt/redrover/redrover-controller.mjs', ...program, '--insecure-bind'];
    const http = ['--http', `${CONTROLLER_ADDRESS}:7402`];
    const child = this.#startLogged(CONTROLLER, [...argv, ...http], 'controller');
    this.#controller = child;
    const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
    await until(
      'the controller listens',
      async () => isOver() || (await this.redrover(['host', 'ls'])).exitCode === 0,
      READY_TIMEOUT_MS,
    );
    if (isOver()) throw new Error(`the controller ended: ${this.logOf('controller')}`);
  }

  async killController(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#controller === undefined) throw new Error('no controller runs');
    await end(this.#controller, signal);
    this.#controller = undefined;
  }

  /** Starts the agent of a host; does not wait until the controller sees it. */
  async startAgent(host: string): Promise<void> {
    const index = this.hostNames.indexOf(host);
    const { zones = [] } = this.#options;
    const zone = zones[index % zones.length];
    const argv = [
      '/opt/redrover/redrover-agent.mjs',
      'run',
      `--host=${host}`,
      `--address=${this.addressOf(host)}`,
      `--controller=${AGENTS}`,
      `--token-file=${TOKEN_FILE}`,
      ...(zone === undefined ? [] : [`--label=zone=${zone}`]),
    ];
    this.#agentStartsMs.set(host, Date.now());
    this.#agents.set(host, this.#startLogged(host, argv, `agent-${host}`));
  }

  async killAgent(host: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const agent = this.#agents.get(host);
    if (agent === undefined) throw new Error(`no agent runs on ${host}`);
    await end(agent, signal);
    this.#agents.delete(host);
  }

  /**
   * Resolves when the controller sees these hosts online, by the agents that were started last: a
   * host that has crashed counts as online until it is missed. Default: all.
   */
  async waitForHosts(hosts: readonly string[] = this.hostNames): Promise<void> {
    await until(
      `${hosts.join(', ')} are online`,
      async () => {
        type Known = readonly { name: string; status: string; lastSeen: string | null }[];
        const known = await this.redroverJson<Known>(['host', 'ls']);
        const online = known
          .filter(({ status }) => status === 'online')
          .filter(({ name, lastSeen }) => Date.parse(lastSeen ?? '') > this.#agentStartMs(name))
          .map(({ name }) => name);
        return hosts.every((host) => online.includes(host));
      },
      READY_TIMEOUT_MS,
    );
  }

  /** Runs `redrover` on the controller's host; never rejects for its exit code. */
  async redrover(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const env = { ...this.redroverEnvironment(), ...options.env };
    return this.exec(CONTROLLER, this.redroverCommand(args), { reject: false, ...options, env });
  }

  /** The command line of `redrover` on the controller's host. */
  redroverCommand(args: readonly string[]): string[] {
    return [process.execPath, '/opt/redrover/redrover.mjs', ...args];
  }

  /** What makes it find the lab's controller, beside what every program of a host gets. */
  redroverEnvironment(): Record<string, string> {
    return {
      ...HOST_ENVIRONMENT,
      REDROVER_CONFIG: '/root/redrover.yaml',
      REDROVER_CONTROLLER: API,
      REDROVER_TOKEN_FILE: `${DATA}/api-token`,
    };
  }

  /** Like `redrover`, with the result read as JSON. Errors: exit codes other than 0 and 2. */
  async redroverJson<T>(args: readonly string[]): Promise<T> {
    const { exitCode, stdout, stderr } = await this.redrover([...args, '-o', 'json']);
    if (exitCode !== 0 && exitCode !== 2) {
      throw new Error(`redrover ${args.join(' ')} exited with ${exitCode}: ${stderr}`);
    }
    return JSON.parse(stdout) as T;
  }

  /** Writes a spec on the controller's host: 3 + 3 nodes of the lab's release, changed as wanted. */
  async writeSpec(fields: Readonly<Record<string, unknown>>): Promise<string> {
    const spec = { release: this.release, shards: 3, replicas: 1, ...fields };
    const path = `/root/specs/${String(fields['name'])}.yaml`;
    await this.host(CONTROLLER).writeFile(path, stringify(spec));
    return path;
  }

  /** Creates a cluster by the command line: 3 + 3 nodes unless told otherwise. */
  async createCluster(fields: Readonly<Record<string, unknown>>): Promise<void> {
    const spec = await this.writeSpec(fields);
    const { exitCode, stderr } = await this.redrover(['cluster', 'apply', '-f', spec, '--yes']);
    if (exitCode !== 0) throw new Error(`creating a cluster exited with ${exitCode}: ${stderr}`);
  }

  async credentials(cluster: string): Promise<{ username: string; password: string }> {
    return this.redroverJson(['cluster', 'credentials', cluster]);
  }

  // --- Redis

  /** The pid on the host of the redis-server at a port. Errors: none runs there. */
  async nodePid(host: string, port: number): Promise<number> {
    const pid = await this.findNode(host, port);
    if (pid === undefined) throw new Error(`no redis-server at port ${port} of ${host}`);
    return pid;
  }

  async findNode(host: string, port: number): Promise<number | undefined> {
    const title = new RegExp(`redis-server \\S+:${port}(\\s|$)`);
    return this.host(host).findProcess((commandLine) => title.test(commandLine));
  }

  /** Runs redis-cli on the client's host against a node. */
  async redisCli(host: string, port: number, args: readonly string[], password?: string) {
    const target = ['-h', this.addressOf(host), '-p', `${port}`];
    const env = password === undefined ? {} : { REDISCLI_AUTH: password };
    const argv = [this.#release.redisCli.host, ...target, ...args];
    return this.exec(CLIENT, argv, { reject: false, env });
  }

  // --- looking inside

  host(name: string): LabHost {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new Error(`no host ${name} in this lab`);
    return host;
  }

  /** Of the lab's pid 1, as this process counts. */
  get pid(): number {
    return this.#enclosure.pid;
  }

  /** What `controller` or `agent-h1` has said over all its lives; a crash does not touch it. */
  logOf(program: string): string {
    return readFileSync(this.#enclosure.path(`/mnt/logs/${program}.log`), 'utf8');
  }

  async #bringUp(): Promise<void> {
    const { diskMb = DEFAULT_DISK_MB, withController = true } = this.#options;
    await Promise.all([...this.#hosts.values()].map((host) => host.makeDisk(diskMb)));
    await Promise.all([...this.#hosts.values()].map((host) => host.boot()));
    // The numbers of the switch's ports are given in turn.
    await this.network.plugIn(this.host(CONTROLLER), CONTROLLER_ADDRESS);
    await this.network.plugIn(this.host(CLIENT), CLIENT_ADDRESS);
    for (const [index, name] of this.hostNames.entries()) {
      await this.network.plugIn(this.host(name), `10.77.0.${index + 11}`);
    }
    if (withController) await this.#bringUpRedrover();
    if (!(this.#options.durability ?? false)) return;
    for (const host of this.#hosts.values()) await host.settleDisk();
  }

  async #bringUpRedrover(): Promise<void> {
    await this.startController();
    await this.#addRelease();
    const token = readFileSync(this.host(CONTROLLER).path(`${DATA}/agent-token`), 'utf8');
    for (const name of this.hostNames) {
      await this.host(name).writeFile(TOKEN_FILE, token);
      await this.startAgent(name);
    }
    await this.waitForHosts();
  }

  async #addRelease(): Promise<void> {
    const { name, sha256 } = this.#release;
    const source = `/opt/redrover/${name}.tar.gz`;
    const args = ['release', 'add', source, '--name', name, '--sha256', sha256];
    const { exitCode, stderr } = await this.redrover(args);
    if (exitCode !== 0) throw new Error(`adding ${name} failed: ${stderr}`);
  }

  #assert(option: 'clock' | 'durability'): void {
    if (this.#options[option] ?? false) return;
    throw new Error(`only in labs that are started with { ${option}: true }`);
  }

  /** As the controller's clock has it. */
  #agentStartMs(host: string): number {
    return (this.#agentStartsMs.get(host) ?? 0) + this.#controllerShiftMs;
  }

  #hasAgent(host: string): boolean {
    return (this.#options.withController ?? true) && this.hostNames.includes(host);
  }

  /** Its output goes to a file beside the hosts, as to a journal: a full disk takes no evidence. */
  #startLogged(host: string, args: readonly string[], log: string): ChildProcess {
    const file = openSync(this.#enclosure.path(`/mnt/logs/${log}.log`), 'a', 0o644);
    try {
      const stdio = ['ignore', file, file] as const;
      return this.host(host).spawn([process.execPath, ...args], { stdio: [...stdio] });
    } finally {
      closeSync(file);
    }
  }
}

function preloadFor({ durability = false, clock = false }: LabOptions): string[] {
  return [
    ...(durability ? [scriptPath('preload/durable-files.c')] : []),
    ...(clock ? [scriptPath('preload/shifted-clock.c')] : []),
  ];
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  await signalInside(child, signal);
  await ended(child);
}
