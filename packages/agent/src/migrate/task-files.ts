/**
 * The files of one task, in a directory of its own: between the agent, which writes the task and the
 * orders, and the mover, which writes what it is, how far it is and how it ended. Each file has one
 * writer, and is replaced as a whole.
 */
import { readFileSync, statSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfPresent, writeDurableFile } from '../files/durable-file.ts';
import type { ProcessIdentity } from '../nodes/node-record.ts';
import type { Lease } from './lease.ts';
import type { MoveOutcome, MoveStatus, MoveTask } from './move-task.ts';

/** What a mover is told while it works. */
export interface MoveOrders {
  readonly lease: Lease;
  readonly stop: boolean;
}

/** A file as it was read last, and by what it is known to be that file still. */
interface Known {
  readonly print: string;
  readonly value: unknown;
}

export class TaskFiles {
  readonly directory: string;
  readonly #known = new Map<string, Known>();

  constructor(directory: string) {
    this.directory = directory;
  }

  /** What a mover prints. */
  get log(): string {
    return join(this.directory, 'mover.log');
  }

  /** Held by the mover as long as it lives. */
  get lock(): string {
    return join(this.directory, 'lock');
  }

  readTask(): Promise<MoveTask | undefined> {
    return this.#read('task');
  }

  writeTask(task: MoveTask): Promise<void> {
    return this.#write('task', task);
  }

  readOrders(): Promise<MoveOrders | undefined> {
    return this.#read('orders');
  }

  /** For a mover, which looks ten times a second: a small file that is in memory is read at once. */
  peekOrders(): MoveOrders | undefined {
    try {
      return JSON.parse(readFileSync(this.#path('orders'), 'utf8')) as MoveOrders;
    } catch {
      // Not there, or broken: the caller knows what no orders mean.
      return undefined;
    }
  }

  writeOrders(orders: MoveOrders): Promise<void> {
    return this.#write('orders', orders);
  }

  readProcess(): Promise<ProcessIdentity | undefined> {
    return this.#read('process');
  }

  writeProcess(process: ProcessIdentity): Promise<void> {
    return this.#write('process', process);
  }

  readStatus(): Promise<MoveStatus | undefined> {
    return this.#read('status');
  }

  /** Several times a second, and of no use after a crash: whole, but not synced. */
  async writeStatus(status: MoveStatus): Promise<void> {
    const temporary = join(this.directory, 'status.tmp');
    await writeFile(temporary, JSON.stringify(status), { mode: 0o600 });
    await rename(temporary, this.#path('status'));
  }

  readOutcome(): Promise<MoveOutcome | undefined> {
    return this.#read('outcome');
  }

  writeOutcome(outcome: MoveOutcome): Promise<void> {
    return this.#write('outcome', outcome);
  }

  /** Whether a command has been told the outcome. */
  async isHeard(): Promise<boolean> {
    return (await readIfPresent(this.#path('heard'))) !== undefined;
  }

  /** Not synced: after a power cut the outcome may be told once more. */
  async writeHeard(): Promise<void> {
    await writeFile(this.#path('heard'), '{}\n', { mode: 0o600 });
  }

  readMemo(): Promise<string | undefined> {
    return readIfPresent(this.#path('memo'));
  }

  writeMemo(memo: string): Promise<void> {
    return writeDurableFile(this.#path('memo'), memo);
  }

  #path(name: string): string {
    return join(this.directory, `${name}.json`);
  }

  #write(name: string, value: object): Promise<void> {
    return writeDurableFile(this.#path(name), `${JSON.stringify(value)}\n`);
  }

  /**
   * Undefined for a file that is not there, or that is not what its writer writes. Many times a second it is the same
   * file as before: only another one, as a replaced file is, is read.
   */
  async #read<T>(name: string): Promise<T | undefined> {
    const path = this.#path(name);
    const print = printOf(path);
    const known = this.#known.get(name);
    if (print !== undefined && known?.print === print) return known.value as T | undefined;
    const text = await readIfPresent(path);
    const value = text === undefined ? undefined : parse(text);
    if (print !== undefined) this.#known.set(name, { print, value });
    return value as T | undefined;
  }
}

/** Of a file that is replaced as a whole: another inode, or another time. Undefined: it has to be read to know. */
function printOf(path: string): string | undefined {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat === undefined ? 'none' : `${stat.ino} ${stat.mtimeMs} ${stat.size}`;
  } catch {
    // Whatever it is, reading meets it as well and says so.
    return undefined;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Broken by whatever breaks disks: a task is found anew in the cluster itself.
    return undefined;
  }
}
