/**
 * The playgrounds of this user on this machine: one directory each, with a record of who runs it,
 * which ports are its own and which context it set. Starting and stopping is not done here.
 */
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

import { isRunning } from '../stack/process-identity.ts';
import type { ProcessIdentity } from '../stack/process-identity.ts';
import { isStackRunning } from '../stack/local-stack.ts';

export interface InstanceRecord {
  readonly name: string;
  /** The process in the foreground, or the one that is starting it; null once it is detached. */
  readonly owner: ProcessIdentity | null;
  readonly basePort: number;
  /** How many ports from `basePort` on are its own, on each host. */
  readonly portCount: number;
  /** The context that was current before this playground's was. */
  readonly previousContext: string | null;
}

/** `leftover`: whoever ran it is gone, and what it left is to be cleaned up. */
export type InstanceState = 'running' | 'leftover';

export interface Instance extends InstanceRecord {
  readonly directory: string;
  readonly state: InstanceState;
}

/**
 * As root in /var/lib, where the users that nodes run as can get to it; else in the XDG state
 * directory. `REDROVER_PLAYGROUND_DIR` names another place.
 */
export function playgroundsDirectory(env: NodeJS.ProcessEnv): string {
  if (env['REDROVER_PLAYGROUND_DIR']) return env['REDROVER_PLAYGROUND_DIR'];
  if (process.getuid?.() === 0) return '/var/lib/redrover/playground';
  const state = env['XDG_STATE_HOME'] || join(env['HOME'] || homedir(), '.local', 'state');
  return join(state, 'redrover', 'playground');
}

/** Makes it traversable whatever the umask says. */
export function createPlaygroundsDirectory(directory: string): void {
  const created = mkdirSync(directory, { recursive: true });
  if (created === undefined) return;
  for (let path = directory; path.startsWith(created); path = dirname(path)) chmodSync(path, 0o755);
}

export function listInstances(playgrounds: string): Instance[] {
  let names: string[];
  try {
    names = readdirSync(playgrounds, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return names.toSorted().map((name) => toInstance(playgrounds, name));
}

export function writeInstance(directory: string, record: InstanceRecord): void {
  mkdirSync(directory, { recursive: true });
  chmodSync(directory, 0o755);
  const path = recordPath(directory);
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, JSON.stringify(record, undefined, 2));
  renameSync(temporary, path);
}

function toInstance(playgrounds: string, name: string): Instance {
  const directory = join(playgrounds, name);
  const record = readInstance(directory, name);
  const { owner } = record;
  const runs = owner === null ? isStackRunning(directory) : isRunning(owner);
  return { ...record, directory, state: runs ? 'running' : 'leftover' };
}

/** A directory without a record was being made or removed when that was cut short. */
function readInstance(directory: string, name: string): InstanceRecord {
  const empty = { name, owner: null, basePort: 0, portCount: 0, previousContext: null };
  try {
    const text = readFileSync(recordPath(directory), 'utf8');
    return { ...empty, ...(JSON.parse(text) as Partial<InstanceRecord>) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return empty;
    throw error;
  }
}

function recordPath(directory: string): string {
  return join(directory, 'playground.json');
}
