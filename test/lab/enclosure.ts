/**
 * The namespaces that a whole lab lives in: one process, pid 1 of them, whose end is the end of
 * everything inside. It ends with the standard input that this process holds, so also when this
 * process is killed. What hosts are is not known here.
 */
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { childOf, ended, endGroup, firstLine, run, start } from './command.ts';
import type { CommandOptions, CommandResult } from './command.ts';

export interface EnclosureInput {
  /** Folder of the built programs. */
  readonly programs: string;
  readonly cache: string;
  readonly archive: string;
  /** File name that the source archive has on the hosts, in /opt/redrover. */
  readonly archiveName: string;
  /** Of the checkout: what the programs import. */
  readonly modules: string;
  /** C sources of libraries to preload into every program of the hosts. */
  readonly preload: readonly string[];
}

// Its pid 1 only has to see its input end; more is a defect, which must not block a test's end.
const CLOSE_TIMEOUT_MS = 10_000;

export class Enclosure {
  readonly #child: ChildProcess;
  /** Of its pid 1, as this process counts. */
  readonly pid: number;

  private constructor(child: ChildProcess, pid: number) {
    this.#child = child;
    this.pid = pid;
  }

  static async open(input: EnclosureInput): Promise<Enclosure> {
    const script = scriptPath('enclosure.sh');
    const { programs, cache, archive, archiveName, preload, modules } = input;
    const namespaces = ['--net', '--mount', '--pid', '--uts', '--fork', '--kill-child=SIGKILL'];
    const args = [programs, cache, archive, archiveName, modules, ...preload];
    const argv = ['unshare', ...namespaces, 'sh', script, ...args];
    const child = start(argv, { stdio: 'pipe' });
    child.stdin?.on('error', () => {});
    await firstLine(child, 'the enclosure of the lab');
    if (child.pid === undefined) throw new Error('unshare got no pid');
    return new Enclosure(child, await childOf(child.pid));
  }

  /** The command that runs another one in the enclosure, its pids included. */
  enter(argv: readonly string[]): string[] {
    return ['nsenter', '--target', `${this.pid}`, '--all', '--', ...argv];
  }

  /** Runs a shell script in the enclosure. */
  async run(script: string, args: readonly string[] = [], options?: CommandOptions) {
    return run(this.enter(['sh', '-euc', script, 'sh', ...args]), options);
  }

  /** Runs a command on the switch, with files and pids as this process sees them. */
  async runOnSwitch(argv: readonly string[]): Promise<CommandResult> {
    return run(['nsenter', '--target', `${this.pid}`, '--net', '--', ...argv]);
  }

  /** Where this process sees a path of the enclosure. */
  path(path: string): string {
    return join(`/proc/${this.pid}/root`, path);
  }

  async close(): Promise<void> {
    this.#child.stdin?.end();
    const hurry = setTimeout(() => endGroup(this.#child, 'SIGKILL'), CLOSE_TIMEOUT_MS);
    await ended(this.#child);
    clearTimeout(hurry);
  }
}

/** Longer scripts stand in files of their own, beside this one. */
export function scriptPath(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
