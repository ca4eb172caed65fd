/** Lets Nest log through the controller's own log. */
import type { LoggerService } from '@nestjs/common';
import type { Logger } from 'pino';

export class NestLogger implements LoggerService {
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log.child({ component: 'nest' });
  }

  /** Nest tells of each module and route that it sets up: nobody's business but a debugger's. */
  log(message: unknown): void {
    this.#log.debug(String(message));
  }

  error(message: unknown, ...details: unknown[]): void {
    this.#log.error({ details }, String(message));
  }

  warn(message: unknown): void {
    this.#log.warn(String(message));
  }

  debug(message: unknown): void {
    this.#log.debug(String(message));
  }

  verbose(message: unknown): void {
    this.#log.trace(String(message));
  }
}
