/** Running programs from the lab's side: results as values, and a deadline that ends all of it. */
import { spawn } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** Standard input. Default: none. */
  readonly input?: string;
  /** All of its environment. Default: this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default 110 s: below the limit of a test, so that it says which command did not end. */
  readonly timeoutMs?: number;
  /** Whether an exit code other than 0 is an error. Default true. */
  readonly reject?: boolean;
}

const DEFAULT_TIMEOUT_MS = 110_000;
const POLL_MS = 5;
// A fork on a machine that is busy with a whole lab.
const FORK_TIMEOUT_MS = 10_000;

/** Runs to the end. Errors: an exit code other than 0 unless told otherwise; the deadline. */
export async function run(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, input = '' } = options;
  const child = start(argv, { env: options.env, stdio: 'pipe' });
  let [stdout, stderr] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // A program that ends without reading all of its input is judged by its exit code.
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
  let late = false;
  const deadline = setTimeout(() => {
    late = true;
    endGroup(child, 'SIGKILL');
  }, timeoutMs);
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? -1));
  }).finally(() => clearTimeout(deadline));
  const said = `${stdout}\n${stderr}`.trim();
  if (late) throw new Error(`${argv.join(' ')} did not end within ${timeoutMs} ms: ${said}`);
  if (exitCode !== 0 && (options.reject ?? true)) {
    throw new Error(`${argv.join(' ')} exited with ${exitCode}: ${said}`);
  }
  return { exitCode, stdout: stdout.trimEnd(), stderr: stderr.trimEnd() };
}

export interface StartOptions {
  /** All of its environment. Default: this process's own. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly stdio: StdioOptions;
}

/** Starts a program in a process group of its own, to be ended by `endGroup`. */
export function start([command = '', ...args]: readonly string[], options: StartOptions) {
  const { env = process.env, stdio } = options;
  return spawn(command, args, { env, stdio, detached: true });
}

/**
 * Signals a started program and all that it has started in its group: nsenter does not pass
 * signals on to the program that it has put into the namespaces.
 */
export function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    // It ended between the look and the signal.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * Signals what nsenter runs, and that alone; nsenter ends after it, so `ended` means that it is
 * gone.
 */
export async function signalInside(nsenter: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (nsenter.pid === undefined || nsenter.exitCode !== null || nsenter.signalCode !== null) return;
  process.kill(await childOf(nsenter.pid), signal);
  // It has stopped itself if its program was ever stopped, and would not see the end of it.
  if (signal !== 'SIGSTOP') process.kill(nsenter.pid, 'SIGCONT');
}

/** Resolves when the program has ended and nobody holds its output any more. */
export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise((resolve) => child.once('exit', resolve));
}

/** The first line of a program that says when it is ready. Errors: it ended before, and why. */
export async function firstLine(child: ChildProcess, what: string): Promise<string> {
  let [stdout, stderr] = ['', ''];
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      const end = stdout.indexOf('\n');
      if (end >= 0) resolve(stdout.slice(0, end));
    });
    child.once('close', (code) => reject(new Error(`${what} ended with ${code}: ${stderr}`)));
  });
}

/** The pid, as this process counts, of the one child of a process: what nsenter or unshare runs. */
export async function childOf(pid: number): Promise<number> {
  const deadlineMs = performance.now() + FORK_TIMEOUT_MS;
  for (;;) {
    const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]);
    if (child > 0) return child;
    if (performance.now() > deadlineMs) throw new Error(`process ${pid} started nothing`);
    await delay(POLL_MS);
  }
}
