/** A bell that one loop sleeps beside: rings are not counted, and none is lost between two waits. */
import { setImmediate } from 'node:timers/promises';

export class Wakeup {
  #isRung = false;
  #wake: (() => void) | undefined;
  #later: NodeJS.Timeout | undefined;

  ring(): void {
    clearTimeout(this.#later);
    this.#later = undefined;
    this.#isRung = true;
    this.#wake?.();
  }

  /** Rings in `delayMs`, or sooner where that was asked for before: for news that can wait for more of its kind. */
  ringWithin(delayMs: number): void {
    if (delayMs <= 0) this.ring();
    else if (!this.#isRung) this.#later ??= setTimeout(() => this.ring(), delayMs);
  }

  /** Nobody waits any more. */
  close(): void {
    clearTimeout(this.#later);
  }

  /** Resolves at the next ring (or at once, for one that was not heard yet), or in `timeoutMs`. */
  async wait(timeoutMs: number): Promise<void> {
    if (!this.#isRung) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.max(0, timeoutMs));
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
    // What else arrived with this turn of the event loop is part of the same news.
    await setImmediate();
    this.#isRung = false;
  }
}
