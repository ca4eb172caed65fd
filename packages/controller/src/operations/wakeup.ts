/** A bell that one loop sleeps beside: rings are not counted, and none is lost between two waits. */
import { setImmediate } from 'node:timers/promises';

export class Wakeup {
  #isRung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#isRung = true;
    this.#wake?.();
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
