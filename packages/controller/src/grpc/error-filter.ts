/** Turns whatever a handler threw into a gRPC status: the one place where that is done. */
import { Catch, Inject, type ExceptionFilter } from '@nestjs/common';
import { RedroverError } from '@redrover/core';
import { toGrpcError } from '@redrover/wire';
import type { Logger } from 'pino';
import { throwError, type Observable } from 'rxjs';

import { LOG } from '../tokens.ts';

@Catch()
export class GrpcErrorFilter implements ExceptionFilter {
  readonly #log: Logger;

  constructor(@Inject(LOG) log: Logger) {
    this.#log = log;
  }

  catch(thrown: unknown): Observable<never> {
    const error = RedroverError.from(thrown);
    // The caller gets one line; a defect of ours is looked for with its stack.
    if (error.code === 'internal') this.#log.error({ err: thrown }, 'a request failed');
    return throwError(() => toGrpcError(error));
  }
}
