/**
 * For how long a node's open slots have been left alone. Somebody at work on one changes which slots
 * are open, or how many keys are in them; what nobody changes was left behind.
 */
import { RedroverError, type ViewNode } from '@redrover/core';
import type { NodeConnection, RedisCommand } from './node-connection.ts';

export class OpenSlotWatch {
  readonly #now: () => number;
  #seen = '';
  #sinceTickMs = 0;

  /** @param now monotonic, in milliseconds: a clock that is set must not look like quiet. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Another process answers from now on: what was watched is over. */
  forget(): void {
    this.#seen = '';
  }

  /** Milliseconds; 0 when none is open, or something has just changed. Asks the node only when one is. */
  async quietMs(
    myself: ViewNode | undefined,
    connection: NodeConnection,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<number> {
    const open = openSlotsOf(myself);
    if (open.length === 0) {
      this.#seen = '';
      return 0;
    }
    const counts = await connection.pipeline(
      open.map(({ slot }): RedisCommand => ['CLUSTER', 'COUNTKEYSINSLOT', slot]),
      options,
    );
    const seen = open.map(({ text }, index) => `${text} ${countOf(counts[index])}`).join(',');
    if (seen !== this.#seen) {
      this.#seen = seen;
      this.#sinceTickMs = this.#now();
    }
    return Math.round(this.#now() - this.#sinceTickMs);
  }
}

/** Whether the node itself has slots open; of other nodes a view tells nothing. */
export function openSlotsOf(
  myself: ViewNode | undefined,
): readonly { readonly slot: number; readonly text: string }[] {
  if (myself === undefined) return [];
  return [
    ...myself.migrating.map(({ slot, nodeId }) => ({ slot, text: `${slot}>${nodeId}` })),
    ...myself.importing.map(({ slot, nodeId }) => ({ slot, text: `${slot}<${nodeId}` })),
  ];
}

function countOf(reply: unknown): string {
  if (reply instanceof RedroverError) throw reply;
  return String(reply);
}
