/** Reads what /proc says of processes. Starting and stopping them belongs to the launcher and `stop.ts`. */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import type { ProcessIdentity } from '../nodes/node-record.ts';

const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id';

export interface ProcessStat {
  /** As in /proc/PID/stat: `R`, `S`, `Z`, `T`, … */
  readonly state: string;
  readonly startTicks: string;
}

/** Undefined when there is no such process; a zombie counts as gone. */
export function readStat(pid: number): ProcessStat | undefined {
  const text = readProc(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The command name in parentheses may hold blanks and parentheses of its own.
  const stateAt = text.lastIndexOf(')') + 2;
  const state = text.charAt(stateAt);
  if (state === 'Z' || state === 'X') return undefined;
  // Read of each node several times a second: its other fields are not even taken apart.
  let at = stateAt;
  for (let field = 0; field < START_TICKS_FIELD; field += 1) at = text.indexOf(' ', at) + 1;
  return { state, startTicks: text.slice(at, text.indexOf(' ', at)) };
}

/** `starttime`, counted from `state` (proc_pid_stat(5)). */
const START_TICKS_FIELD = 19;

/** The boot of the kernel that is running; empty where the kernel does not say. */
export function readBootId(): string {
  return readProc(BOOT_ID_FILE)?.trim() ?? '';
}

/** Whether the very process is alive: same pid, same start time, same boot. */
export function isAlive(identity: ProcessIdentity): boolean {
  return readStat(identity.pid)?.startTicks === identity.startTicks;
}

/** Arguments as the process shows them now: a server rewrites its own. */
export function readCommandLine(pid: number): readonly string[] {
  const text = readProc(`/proc/${pid}/cmdline`, 'utf8');
  return text === undefined ? [] : text.split('\0').filter((part) => part !== '');
}

export interface NodeProcessTraits {
  /** The node's directory: a server changes into it at its start. */
  readonly directory: string;
  readonly config: string;
  readonly port: number;
}

/**
 * Whether the process is the server of this node by its command line: `… redis-server /dir/redis.conf`
 * at first, then `redis-server 10.0.0.1:6379 [cluster]` in one piece, as the server rewrites it. An
 * editor that has the config open is none.
 */
export function looksLikeNode(pid: number, { config, port }: NodeProcessTraits): boolean {
  const line = readCommandLine(pid);
  const [title = ''] = line;
  if (line.length === 1) return SERVER.test(title) && title.endsWith(`:${port} [cluster]`);
  return line.at(-1) === config && SERVER.test(line.at(-2) ?? '');
}

/** The program's name, at the end of a path or before its title goes on. */
const SERVER = /(redis|valkey)-server(\s|$)/;

/** Pid of a running server of this node that nobody remembers having started; undefined if none. */
export function findNodeProcess(traits: NodeProcessTraits): number | undefined {
  const directory = resolveDirectory(traits.directory);
  // As the kernel names it once it was deleted under a running server (proc_pid_cwd(5)).
  const places = [directory, `${directory} (deleted)`];
  return listProcesses().find((pid) => {
    if (!places.includes(readWorkingDirectory(pid) ?? '')) return false;
    return looksLikeNode(pid, traits) && readStat(pid) !== undefined;
  });
}

/** Pids of living processes that work somewhere below the directory. */
export function findProcessesBelow(directory: string): number[] {
  const parent = `${resolveDirectory(directory)}/`;
  return listProcesses().filter(
    (pid) => readWorkingDirectory(pid)?.startsWith(parent) && readStat(pid) !== undefined,
  );
}

/** Identity of a living process; undefined if it is gone. */
export function identify(pid: number, now: number): ProcessIdentity | undefined {
  const stat = readStat(pid);
  if (stat === undefined) return undefined;
  const { startTicks } = stat;
  const startedAtMs = Math.round(now - secondsSince(startTicks) * 1000);
  return { pid, startTicks, bootId: readBootId(), startedAtMs };
}

/** By a clock that nobody can set. */
export function ageMsOf({ startTicks }: ProcessIdentity): number {
  return secondsSince(startTicks) * 1000;
}

/** Soft `nofile` limit in force in the process; 0 if it cannot be read. */
export function readNofileSoft(pid: number): number {
  const line = readProc(`/proc/${pid}/limits`)
    ?.split('\n')
    .find((candidate) => candidate.startsWith('Max open files'));
  const soft = line?.slice('Max open files'.length).trim().split(/\s+/)[0];
  return Number.parseInt(soft ?? '', 10) || 0;
}

/** USER_HZ, which Linux fixes to 100 on every architecture that we run on. */
const TICKS_PER_SECOND = 100;

function secondsSince(startTicks: string): number {
  const uptimeSeconds = Number.parseFloat(readProc('/proc/uptime') ?? '');
  const seconds = uptimeSeconds - Number(startTicks) / TICKS_PER_SECOND;
  return Number.isFinite(seconds) && seconds > 0 ? seconds : 0;
}

function listProcesses(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** As the kernel names it: the agent's root may be a symbolic link. */
function resolveDirectory(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // Gone: then no process can be found by it.
    return path;
  }
}

function readWorkingDirectory(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    // Gone meanwhile, a kernel thread, or another user's: not ours in any case.
    return undefined;
  }
}

function readProc(path: string, encoding: BufferEncoding = 'latin1'): string | undefined {
  try {
    return readFileSync(path, encoding);
  } catch {
    // Gone: processes end at any time.
    return undefined;
  }
}
