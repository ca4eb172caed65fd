/** Plain HTTP: is it alive, and its metrics. Holds no secrets, so it asks for no token. */
import { Controller, Get, Header, HttpException, HttpStatus, Inject } from '@nestjs/common';
import { RedroverError } from '@redrover/core';

import type { Store } from '../store/store.ts';
import { METRICS, STORE } from '../tokens.ts';
import type { Metrics } from './metrics.ts';

@Controller()
export class HttpApi {
  readonly #metrics: Metrics;
  readonly #store: Store;

  constructor(@Inject(METRICS) metrics: Metrics, @Inject(STORE) store: Store) {
    this.#metrics = metrics;
    this.#store = store;
  }

  /** Healthy: the event loop turns and the store can be read. */
  @Get('healthz')
  async health(): Promise<{ status: 'ok' }> {
    try {
      await this.#store.meta.probe();
      return { status: 'ok' };
    } catch (error) {
      const { message } = RedroverError.from(error);
      throw new HttpException({ status: 'failing', message }, HttpStatus.SERVICE_UNAVAILABLE);
    }
  }

  @Get('metrics')
  @Header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  async metrics(): Promise<string> {
    return this.#metrics.render();
  }
}
