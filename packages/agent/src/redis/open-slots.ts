/**
 * For how long a node's open slots have been left alone. Somebody at work on one changes which slots
 * are open, or how many keys are in them; what nobody changes was left behind.
 */
import type { ViewNode } from '@redrover/core';
import { countKeysIn } from './count-keys.ts';
import type { NodeConnection } from './node-connection.ts';

export class OpenSlotWatch {
  readonly #now: () => number;
  #open = '';
  /** Undefined: not counted since other slots were open. */
  #counts: string | undefined;
  #sinceTickMs = 0;

  /** @param now monotonic, in milliseconds: a clock that is set must not look like quiet. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Another process answers from now on: what was watched is over. */
  forget(): void {
    this.#open = '';
  }

  /**
   * Milliseconds; 0 when none is open, or something has just changed. Asks the node only when the same ones are open
   * as before: while slots are being moved, others are each time.
   */
  async quietMs(
    myself: ViewNode | undefined,
    connection: Pick<NodeConnection, 'pipeline'>,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<number> {
    const slots = openSlotsOf(myself);
    const open = slots.map(({ text }) => text).join(',');
    const isSame = open === this.#open;
    this.#open = open;
    if (slots.length === 0) return 0;
    const counts = isSame ? await this.#count(slots, connection, options) : undefined;
    if (counts === undefined || counts !== this.#counts) this.#sinceTickMs = this.#now();
    this.#counts = counts;
    return Math.round(this.#now() - this.#sinceTickMs);
  }

  async #count(
    open: readonly { readonly slot: number }[],
    connection: Pick<NodeConnection, 'pipeline'>,
    options: { readonly timeoutMs?: number },
  ): Promise<string> {
    const slots = open.map(({ slot }) => slot);
    const found = await countKeysIn({ connection, options }, slots);
    return found.map(({ slot, keys }) => `${slot} ${keys}`).join(',');
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
