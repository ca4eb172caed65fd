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
import { stringify } from 'yaml';

import { until } from '../support/until.ts';
import { BareLab, CLIENT, CONTROLLER, CONTROLLER_ADDRESS, openEnclosure } from './bare-lab.ts';
import type { BareLabOptions, PlaceOptions } from './bare-lab.ts';
import { ended, signalInside } from './command.ts';
import type { CommandOptions, CommandResult } from './command.ts';
import type { Enclosure } from './enclosure.ts';
import { HOST_ENVIRONMENT } from './lab-host.ts';
import { findLabRelease } from './release.ts';
import type { LabRelease } from './release.ts';

export interface LabOptions extends BareLabOptions {
  /** Whether a controller and agents run. Default true. */
  readonly withController?: boolean;
  /** Labels `zone=…` of the hosts, dealt in turn. Default: none. */
  readonly zones?: readonly string[];
}

export interface BootOptions extends PlaceOptions {
  /** Whether its agent starts. Default true in a lab with a controller. */
  readonly agent?: boolean;
}

export { CLIENT, CONTROLLER };

const API = `${CONTROLLER_ADDRESS}:7400`;
const AGENTS = `${CONTROLLER_ADDRESS}:7401`;
// The checkout's own Node 24, from npm: node_modules are bound to this place on every host.
const NODE = '/opt/redrover/node_modules/node/bin/node';
const DATA = '/var/lib/redrover';
const TOKEN_FILE = '/etc/redrover/agent-token';

// A controller starts in a second; one that shares two cores with a whole lab may need many.
const READY_TIMEOUT_MS = 60_000;

export class Lab extends BareLab {
  readonly release: string;
  readonly #release: LabRelease;
  readonly #withController: boolean;
  readonly #zones: readonly string[];
  readonly #agents = new Map<string, ChildProcess>();
  /** By host: when its agent was started last, by this machine's clock. */
  readonly #agentStartsMs = new Map<string, number>();
  /** How far the controller's time of day is off. */
  #controllerShiftMs = 0;
  #controller: ChildProcess | undefined;

  private constructor(enclosure: Enclosure, release: LabRelease, options: LabOptions) {
    super(enclosure, options);
    this.#release = release;
    this.release = release.name;
    this.#withController = options.withController ?? true;
    this.#zones = options.zones ?? [];
  }

  static async start(options: LabOptions = {}): Promise<Lab> {
    const release = findLabRelease();
    const lab = new Lab(await openEnclosure(release, options), release, options);
    try {
      await lab.bootAll();
      if (lab.#withController) await lab.#bringUpRedrover();
      await lab.settleAll();
      return lab;
    } catch (error) {
      await lab.stop();
      throw error;
    }
  }

  override async crash(host: string): Promise<void> {
    await super.crash(host);
    this.#agents.delete(host);
    if (host === CONTROLLER) this.#controller = undefined;
  }

  override async boot(host: string, options: BootOptions = {}): Promise<void> {
    await super.boot(host, options);
    const hasAgent = this.#withController && this.hostNames.includes(host);
    if (options.agent ?? hasAgent) await this.startAgent(host);
  }

  override async setClock(host: string, offsetSeconds: number): Promise<void> {
    await super.setClock(host, offsetSeconds);
    if (host === CONTROLLER) this.#controllerShiftMs = offsetSeconds * 1_000;
  }

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
    const zone = this.#zones[index % this.#zones.length];
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
    return [NODE, '/opt/redrover/redrover.mjs', ...args];
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

  /** What `controller` or `agent-h1` has said over all its lives; a crash does not touch it. */
  logOf(program: string): string {
    return readFileSync(this.enclosure.path(`/mnt/logs/${program}.log`), 'utf8');
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

  /** As the controller's clock has it. */
  #agentStartMs(host: string): number {
    return (this.#agentStartsMs.get(host) ?? 0) + this.#controllerShiftMs;
  }

  /** Its output goes to a file beside the hosts, as to a journal: a full disk takes no evidence. */
  #startLogged(host: string, args: readonly string[], log: string): ChildProcess {
    const file = openSync(this.enclosure.path(`/mnt/logs/${log}.log`), 'a', 0o644);
    try {
      const stdio = ['ignore', file, file] as const;
      return this.host(host).spawn([NODE, ...args], { stdio: [...stdio] });
    } finally {
      closeSync(file);
    }
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  await signalInside(child, signal);
  await ended(child);
}
