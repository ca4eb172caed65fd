/**
 * The hosts of a lab and what can happen to them; what runs on them is not known here. Everything,
 * files included, is in namespaces that end with the process that started it. Root only.
 */
import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { distDirectory, repositoryRoot } from '../support/paths.ts';
import { until } from '../support/until.ts';
import type { CommandOptions } from './command.ts';
import { Enclosure, scriptPath } from './enclosure.ts';
import { LabHost } from './lab-host.ts';
import type { LostContent } from './lab-host.ts';
import { Network } from './network.ts';
import type { LabRelease } from './release.ts';

export interface BareLabOptions {
  /** Hosts for Redis, named h1, h2, … Default 3. */
  readonly hosts?: number;
  /** Size of each host's disk, in memory as far as it is used. Default 1024 MiB. */
  readonly diskMb?: number;
  /** Whether `powerCut` works: what is synced is noted, at some cost. Default false. */
  readonly durability?: boolean;
  /** Whether `setClock` works. Default false. */
  readonly clock?: boolean;
}

export interface PlaceOptions {
  /** Default: the one that it had. */
  readonly address?: string;
}

export const CONTROLLER = 'controller';
export const CLIENT = 'client';

export const CONTROLLER_ADDRESS = '10.77.0.2';
const CLIENT_ADDRESS = '10.77.0.3';
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

export class BareLab {
  readonly hostNames: readonly string[];
  readonly network: Network;
  protected readonly enclosure: Enclosure;
  protected readonly options: BareLabOptions;
  readonly #hosts = new Map<string, LabHost>();

  protected constructor(enclosure: Enclosure, options: BareLabOptions) {
    this.enclosure = enclosure;
    this.options = options;
    this.network = new Network(enclosure);
    this.hostNames = Array.from({ length: options.hosts ?? 3 }, (_, index) => `h${index + 1}`);
    for (const name of [CONTROLLER, CLIENT, ...this.hostNames]) {
      this.#hosts.set(name, new LabHost(name, enclosure));
    }
  }

  /** Ends every process, and with that all mounts and the network. */
  async stop(): Promise<void> {
    await this.enclosure.close();
  }

  host(name: string): LabHost {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new Error(`no host ${name} in this lab`);
    return host;
  }

  /** Of the lab's pid 1, as this process counts. */
  get pid(): number {
    return this.enclosure.pid;
  }

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
  }

  /**
   * A crash after which every file is as it was last synced; see power-cut.py for the model. Says
   * which files have changed. Only in labs with `durability`.
   */
  async powerCut(host: string): Promise<LostContent[]> {
    this.#requires('durability');
    await this.crash(host);
    return this.host(host).losePower();
  }

  /** All that is on the host's disk is durable from now on. Only in labs with `durability`. */
  async settleDisk(host: string): Promise<void> {
    this.#requires('durability');
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
    this.#requires('clock');
    await this.host(host).setClock(offsetSeconds);
  }

  async boot(host: string, options: PlaceOptions = {}): Promise<void> {
    if (this.options.durability ?? false) await this.host(host).settleDisk();
    await this.host(host).boot();
    await this.network.plugIn(this.host(host), options.address ?? this.addressOf(host));
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

  protected async bootAll(): Promise<void> {
    const { diskMb = DEFAULT_DISK_MB } = this.options;
    await Promise.all([...this.#hosts.values()].map((host) => host.makeDisk(diskMb)));
    await Promise.all([...this.#hosts.values()].map((host) => host.boot()));
    // The numbers of the switch's ports are given in turn.
    await this.network.plugIn(this.host(CONTROLLER), CONTROLLER_ADDRESS);
    await this.network.plugIn(this.host(CLIENT), CLIENT_ADDRESS);
    for (const [index, name] of this.hostNames.entries()) {
      await this.network.plugIn(this.host(name), `10.77.0.${index + 11}`);
    }
  }

  protected async settleAll(): Promise<void> {
    if (!(this.options.durability ?? false)) return;
    for (const host of this.#hosts.values()) await host.settleDisk();
  }

  #requires(option: 'clock' | 'durability'): void {
    if (this.options[option] ?? false) return;
    throw new Error(`only in labs that are started with { ${option}: true }`);
  }
}

/** Makes the namespaces of a lab, with the programs and the release that its hosts have. */
export async function openEnclosure(
  release: LabRelease,
  options: BareLabOptions,
): Promise<Enclosure> {
  const { durability = false, clock = false } = options;
  return Enclosure.open({
    programs: distDirectory,
    cache: release.cache,
    archive: release.archive,
    archiveName: `${release.name}.tar.gz`,
    modules: join(repositoryRoot, 'node_modules'),
    preload: [
      ...(durability ? [scriptPath('preload/durable-files.c')] : []),
      ...(clock ? [scriptPath('preload/shifted-clock.c')] : []),
    ],
  });
}
