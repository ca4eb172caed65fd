/** What happens in an operation, for those who watch it live. */
import {
  RedroverError,
  type Attempt,
  type MoveProgress,
  type Operation,
  type Waiting,
} from '@redrover/core';

export type OperationEvent =
  | { readonly kind: 'operation'; readonly operation: Operation }
  | { readonly kind: 'attempt'; readonly attempt: Attempt }
  | { readonly kind: 'waits'; readonly waits: readonly Waiting[] }
  | {
      readonly kind: 'progress';
      readonly stepKey: string;
      readonly line: string;
      readonly fraction: number | undefined;
      /** Of a `moveSlots`. */
      readonly move: MoveProgress | undefined;
    };

export interface Watch {
  readonly events: AsyncIterable<OperationEvent>;
  /** Ends the events: nobody reads them any more. */
  stop(): void;
}

/** A compiler's lines of some seconds; whoever is further behind does not read at all. */
const MAX_BUFFERED = 2_000;

export class OperationFeed {
  readonly #watchers = new Set<Watcher>();

  publish(event: OperationEvent): void {
    for (const watcher of this.#watchers) watcher.push(event);
  }

  /** Everything from now on; ends with the feed. `first` comes before all of it. */
  watch(first: readonly OperationEvent[]): Watch {
    const watcher = new Watcher(first);
    this.#watchers.add(watcher);
    return {
      events: watcher.read(() => this.#watchers.delete(watcher)),
      stop: () => watcher.finish(undefined),
    };
  }

  /** Nothing more will happen, or nothing more will be told (when the controller stops). */
  end(reason?: RedroverError): void {
    for (const watcher of this.#watchers) watcher.finish(reason);
  }
}

class Watcher {
  readonly #queue: OperationEvent[];
  readonly #limit: number;
  #isFinished = false;
  #error: RedroverError | undefined;
  #wake = (): void => undefined;

  constructor(first: readonly OperationEvent[]) {
    this.#queue = [...first];
    // What was before is as long as it is, and is not the watcher's fault.
    this.#limit = first.length + MAX_BUFFERED;
  }

  push(event: OperationEvent): void {
    if (this.#isFinished) return;
    if (this.#queue.length >= this.#limit) {
      // Lines of progress are the only thing that may be left out.
      if (event.kind === 'progress') return;
      const index = this.#queue.findIndex((queued) => queued.kind === 'progress');
      if (index < 0) {
        const message = 'this watcher reads too slowly; watch the operation again';
        this.finish(new RedroverError('resource-exhausted', message));
        return;
      }
      this.#queue.splice(index, 1);
    }
    this.#queue.push(event);
    this.#wake();
  }

  finish(error: RedroverError | undefined): void {
    this.#isFinished = true;
    this.#error = error;
    this.#wake();
  }

  async *read(leave: () => void): AsyncGenerator<OperationEvent> {
    try {
      for (;;) {
        const event = this.#queue.shift();
        if (event !== undefined) yield event;
        else if (this.#isFinished) break;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
      if (this.#error !== undefined) throw this.#error;
    } finally {
      leave();
    }
  }
}
