/**
 * What has to reach the controller even if the connection breaks meanwhile: results of commands.
 *
 * A result that is lost with the agent, or sent twice, does no harm: steps are idempotent, and the
 * controller takes what it does not wait for as an observation only.
 */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { SessionRequestSchema } from '@redrover/proto';

export type OutgoingMessage = NonNullable<MessageInitShape<typeof SessionRequestSchema>['message']>;

/** More than any operation has under way on a host; beyond it the oldest are of no use any more. */
const MAX_KEPT = 256;

export class Outbox {
  readonly #kept: OutgoingMessage[] = [];
  #deliver: ((message: OutgoingMessage) => Promise<void>) | undefined;
  #isDraining = false;

  /** A connection is there: what was kept goes first. */
  open(deliver: (message: OutgoingMessage) => Promise<void>): void {
    this.#deliver = deliver;
    void this.#drain();
  }

  close(): void {
    this.#deliver = undefined;
  }

  /** Delivers now or after the next reconnect. */
  post(message: OutgoingMessage): void {
    this.#kept.push(message);
    if (this.#kept.length > MAX_KEPT) this.#kept.shift();
    void this.#drain();
  }

  /** One message after another, in the order of their posting; a failed one stays the first. */
  async #drain(): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    try {
      for (let next = this.#kept[0]; next !== undefined; next = this.#kept[0]) {
        const deliver = this.#deliver;
        if (deliver === undefined) return;
        try {
          await deliver(next);
        } catch {
          // This connection is gone. Another one may have been opened while the call failed.
          if (this.#deliver === deliver) this.#deliver = undefined;
          continue;
        }
        if (this.#kept[0] === next) this.#kept.shift();
      }
    } finally {
      this.#isDraining = false;
    }
  }
}
