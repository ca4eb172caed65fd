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
  #send: ((message: OutgoingMessage) => Promise<void>) | undefined;
  #draining: Promise<void> = Promise.resolve();

  /** A connection is there: what was kept goes first. */
  open(send: (message: OutgoingMessage) => Promise<void>): void {
    this.#send = send;
    this.#drain();
  }

  close(): void {
    this.#send = undefined;
  }

  /** Delivers now or after the next reconnect. */
  post(message: OutgoingMessage): void {
    this.#kept.push(message);
    if (this.#kept.length > MAX_KEPT) this.#kept.shift();
    this.#drain();
  }

  #drain(): void {
    this.#draining = this.#draining.then(async () => {
      for (let next = this.#kept[0]; next !== undefined; next = this.#kept[0]) {
        if (this.#send === undefined) return;
        try {
          await this.#send(next);
        } catch {
          // The connection is gone; its owner sees that too and opens a new one.
          return;
        }
        if (this.#kept[0] === next) this.#kept.shift();
      }
    });
  }
}
