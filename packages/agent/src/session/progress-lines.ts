/** Thins out lines of progress: a compiler prints thousands, a person reads a few a second. */

/** How often lines are passed on. */
const FLUSH_MS = 200;
/** How many of them each time; the newest, as they say where things are. */
const MAX_LINES = 20;
const MAX_LENGTH = 500;

export class ProgressLines {
  readonly #send: (line: string) => void;
  #lines: string[] = [];
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(send: (line: string) => void) {
    this.#send = send;
  }

  add(line: string): void {
    this.#lines.push(line.slice(0, MAX_LENGTH));
    if (this.#lines.length > MAX_LINES) {
      this.#lines.shift();
      this.#dropped += 1;
    }
    this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS);
  }

  /** Passes on what is left; call it when the work has ended. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#dropped > 0) this.#send(`… ${this.#dropped} lines left out`);
    for (const line of this.#lines) this.#send(line);
    this.#lines = [];
    this.#dropped = 0;
  }
}
