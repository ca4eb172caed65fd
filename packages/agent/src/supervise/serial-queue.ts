/** Runs tasks one after another in the order of their arrival. One queue per node. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Whether nothing runs and nothing waits. */
  get idle(): boolean {
    return this.#waiting === 0;
  }

  run<T>(task: () => Promise<T>): Promise<T> {
    this.#waiting += 1;
    const result = this.#last.then(task).finally(() => {
      this.#waiting -= 1;
    });
    // The next task runs whether or not this one fails; the caller gets the error.
    this.#last = result.catch(() => undefined);
    return result;
  }
}
