/**
 * The limit of output buffers for replicas, which on Valkey also holds for a slot migration: while the
 * snapshot is on its way, what clients write to the moving slots waits at the source, and beyond the
 * limit the migration fails. It is raised for as long as tasks need it, in memory only, so that a
 * restart of the node puts it back as well.
 */
import { RedroverError } from '@redrover/core';
import type { Link } from '../link/link.ts';
import { encode } from '../link/resp-command.ts';
import { replyText, type Reply } from '../link/resp-parser.ts';

/** Hard limit, soft limit in bytes, and seconds above the soft one; 0: none. */
export interface BufferLimit {
  readonly hardBytes: number;
  readonly softBytes: number;
  readonly softSeconds: number;
}

interface Raised {
  readonly original: BufferLimit;
  readonly users: Set<string>;
}

const OPTION = 'client-output-buffer-limit';

/** Several tasks may have one source: the first raises, the last puts back. */
export class OutputBuffers {
  readonly #raised = new Map<string, Raised>();

  /**
   * Makes room for so many bytes. `keep` is given what stood there before any task raised it, and
   * resolves when that is on disk: only then it is raised.
   */
  async raise(
    link: Link,
    { node, task, bytes }: RaiseRequest,
    keep: (original: BufferLimit) => Promise<void>,
  ): Promise<void> {
    const now = await readLimit(link);
    this.adopt({ node, task }, now);
    const original = this.#raised.get(node)?.original ?? now;
    await keep(original);
    const isEnough = now.hardBytes === 0 || now.hardBytes >= bytes;
    const isSteady = now.softBytes === 0 || now.softBytes >= bytes;
    if (!isEnough || !isSteady) {
      const hardBytes = now.hardBytes === 0 ? 0 : Math.max(now.hardBytes, bytes);
      await writeLimit(link, { hardBytes, softBytes: 0, softSeconds: 0 });
    }
  }

  /** What a task of the last agent has raised is put back by the same task. */
  adopt({ node, task }: Pick<RaiseRequest, 'node' | 'task'>, original: BufferLimit): void {
    const raised = this.#raised.get(node) ?? { original, users: new Set<string>() };
    this.#raised.set(node, raised);
    raised.users.add(task);
  }

  /** Puts back what was there, unless another task needs it still. */
  async putBack(link: Link, { node, task }: Pick<RaiseRequest, 'node' | 'task'>): Promise<void> {
    const raised = this.#raised.get(node);
    if (raised === undefined || !raised.users.has(task)) return;
    if (raised.users.size === 1) await writeLimit(link, raised.original);
    raised.users.delete(task);
    if (raised.users.size === 0) this.#raised.delete(node);
  }
}

export interface RaiseRequest {
  readonly node: string;
  readonly task: string;
  readonly bytes: number;
}

/** `normal 0 0 0 slave 268435456 67108864 60 pubsub …`; newer servers may say `replica`. */
async function readLimit(link: Link): Promise<BufferLimit> {
  const reply = await link.call('reading a buffer limit', encode('CONFIG', 'GET', OPTION));
  const words = replyText((reply as readonly Reply[] | null)?.[1]).split(' ');
  const at = words.findIndex((word) => word === 'slave' || word === 'replica');
  const [hardBytes = NaN, softBytes = NaN, softSeconds = NaN] = words
    .slice(at + 1, at + 4)
    .map(Number);
  if (at === -1 || [hardBytes, softBytes, softSeconds].some(Number.isNaN)) {
    throw new RedroverError('internal', `${link.key} has a ${OPTION} that is not understood`);
  }
  return { hardBytes, softBytes, softSeconds };
}

async function writeLimit(link: Link, limit: BufferLimit): Promise<void> {
  const { hardBytes, softBytes, softSeconds } = limit;
  const value = `slave ${hardBytes} ${softBytes} ${softSeconds}`;
  await link.call('setting a buffer limit', encode('CONFIG', 'SET', OPTION, value));
}
