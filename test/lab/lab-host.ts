/**
 * One host of a lab: its disk, which outlives crashes, and its namespaces, which do not. Plugging
 * it into the switch and what runs on it are its users' matter.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdir, open, readFile, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { childOf, ended, firstLine, run, start } from './command.ts';
import type { CommandOptions, CommandResult, StartOptions } from './command.ts';
import type { Enclosure } from './enclosure.ts';
import { scriptPath } from './enclosure.ts';

interface RunningHost {
  /** nsenter, which ends when pid 1 of the host does. */
  readonly child: ChildProcess;
  /** Of the host's pid 1, as this process counts. */
  readonly pid: number;
}

/** A file that a power cut has changed. */
export interface LostContent {
  readonly path: string;
  readonly wasBytes: number;
  readonly isBytes: number;
}

// What an init system gives to what it starts.
export const HOST_ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
  NO_COLOR: '1',
};

const NAMESPACES = ['--net', '--mount', '--pid', '--uts', '--ipc'];

export class LabHost {
  readonly name: string;
  readonly #enclosure: Enclosure;
  #running: RunningHost | undefined;
  readonly #started = new Set<ChildProcess>();
  #diskMb = 0;

  constructor(name: string, enclosure: Enclosure) {
    this.name = name;
    this.#enclosure = enclosure;
  }

  /** Of the host in the enclosure: disk, mount point, what is beside the disk. */
  get folder(): string {
    return `/mnt/hosts/${this.name}`;
  }

  get isUp(): boolean {
    return this.#running !== undefined;
  }

  /** Of the host's pid 1, as this process counts. Errors: the host is down. */
  get pid(): number {
    if (this.#running === undefined) throw new Error(`${this.name} is down: boot it first`);
    return this.#running.pid;
  }

  async makeDisk(sizeMb: number): Promise<void> {
    const script = `
      mkdir -p "$1/root" "$1/disk" "$1/lab/durable"
      chmod 777 "$1/lab/durable"
      head -c 8 /dev/zero > "$1/lab/clock"
      mount -t tmpfs -o "size=$2m,mode=755" disk "$1/disk"
      mkdir "$1/disk/upper" "$1/disk/work"
      : > "$1/disk/upper/.lab-disk"
    `;
    await this.#enclosure.run(script, [this.folder, `${sizeMb}`]);
    this.#diskMb = sizeMb;
  }

  /** Makes its disk exactly as large as what is on it, and a little more if wanted. */
  async fillDisk(spareKb: number): Promise<void> {
    // Whatever is written meanwhile makes the kernel refuse that size: look again.
    const script = `
      for try in 1 2 3 4 5; do
        used=$(df -k --output=used "$1/disk" | tail -n 1)
        mount -o "remount,size=$((used + $2))k" "$1/disk" 2>/dev/null && exit
      done
      exit 1
    `;
    await this.#enclosure.run(script, [this.folder, `${spareKb}`]);
  }

  /** Gives the disk its size back. */
  async freeDisk(): Promise<void> {
    const script = 'mount -o "remount,size=$2m" "$1/disk"';
    await this.#enclosure.run(script, [this.folder, `${this.#diskMb}`]);
  }

  /** All that is on its disk is durable from now on, as after a sync. */
  async settleDisk(): Promise<void> {
    await this.#powerCut('settle');
  }

  /** Puts every file of the host, which must be down, back to what was durable. */
  async losePower(): Promise<LostContent[]> {
    if (this.isUp) throw new Error(`${this.name} is up: crash it first`);
    const { stdout } = await this.#powerCut('cut');
    return JSON.parse(stdout) as LostContent[];
  }

  async setClock(offsetSeconds: number): Promise<void> {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(Math.round(offsetSeconds * 1e9)));
    // Into the same file and in one piece: running programs have it mapped.
    const file = await open(this.#enclosure.path(`${this.folder}/lab/clock`), 'r+');
    await file.write(bytes, 0, 8, 0);
    await file.close();
  }

  /** Starts its pid 1; resolves when its root is in place. */
  async boot(): Promise<void> {
    if (this.isUp) throw new Error(`${this.name} is up already`);
    const namespaces = [...NAMESPACES, '--fork', '--kill-child=SIGKILL'];
    const init = ['unshare', ...namespaces, 'sh', scriptPath('host.sh'), this.name];
    const child = start(this.#enclosure.enter(init), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: HOST_ENVIRONMENT,
    });
    await firstLine(child, `booting ${this.name}`);
    if (child.pid === undefined) throw new Error('nsenter got no pid');
    const pid = await childOf(await childOf(child.pid));
    this.#running = { child, pid };
  }

  /** Kills its pid 1, and with that everything on it; the disk stays as its programs saw it. */
  async kill(): Promise<void> {
    const { child, pid } = this.#running ?? {};
    if (child === undefined || pid === undefined) throw new Error(`${this.name} is down already`);
    this.#running = undefined;
    process.kill(pid, 'SIGKILL');
    await ended(child);
  }

  async #powerCut(verb: 'settle' | 'cut'): Promise<CommandResult> {
    const places = [`${this.folder}/disk/upper`, `${this.folder}/lab/durable`];
    return run(this.#enclosure.enter(['python3', scriptPath('power-cut.py'), verb, ...places]));
  }

  /** Runs a program on the host, as root. */
  async exec(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return run(this.enter(argv), { ...options, env: { ...HOST_ENVIRONMENT, ...options.env } });
  }

  /** Starts a program on the host, as root; it is ended by `endGroup`, or with the host. */
  spawn(argv: readonly string[], options: StartOptions): ChildProcess {
    const env = { ...HOST_ENVIRONMENT, ...options.env };
    const child = start(this.enter(argv), { ...options, env });
    this.#started.add(child);
    child.once('close', () => this.#started.delete(child));
    return child;
  }

  /** Sends a signal to a process, by its pid on the host. */
  async signal(pid: number, signal: NodeJS.Signals): Promise<void> {
    const script = 'kill -s "$1" "$2"';
    await this.exec(['sh', '-euc', script, 'sh', signal.replace(/^SIG/, ''), `${pid}`]);
    if (signal !== 'SIGCONT') return;
    // nsenter stops itself with what it runs, and would not see its end.
    for (const { pid: nsenter } of this.#started) {
      if (nsenter === undefined) continue;
      const inner = await childOf(nsenter);
      const status = await readFile(`/proc/${inner}/status`, 'utf8').catch(() => '');
      if (new RegExp(`^NSpid:.*\\s${pid}$`, 'm').test(status)) process.kill(nsenter, 'SIGCONT');
    }
  }

  /** The command that runs another one on the host. */
  enter(argv: readonly string[]): string[] {
    return ['nsenter', '--target', `${this.pid}`, '--all', '--', ...argv];
  }

  /** Where this process sees an absolute path of the running host. */
  path(path: string): string {
    return join(`/proc/${this.pid}/root`, path);
  }

  async writeFile(path: string, text: string): Promise<void> {
    await mkdir(dirname(this.path(path)), { recursive: true });
    await writeFile(this.path(path), text);
  }

  /** The pid, as the host counts, of the first process whose command line fits. */
  async findProcess(fits: (commandLine: string) => boolean): Promise<number | undefined> {
    const names = await readdir(this.path('/proc'));
    for (const name of names.filter((each) => /^\d+$/.test(each))) {
      // It may end between the two looks.
      const text = await readFile(this.path(`/proc/${name}/cmdline`), 'utf8').catch(() => '');
      if (fits(text.replaceAll('\0', ' ').trim())) return Number(name);
    }
    return undefined;
  }
}
