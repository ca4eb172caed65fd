/** Lets one piece of work run at a time, in the order of the calls. */
import { RedroverError } from '@redrover/core';

export type InTurn = <T>(signal: AbortSignal | undefined, work: () => Promise<T>) => Promise<T>;

/** Whoever is aborted while waiting leaves the queue with `cancelled`. */
export function createTurns(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return async (signal, work) => {
    const before = last;
    const { promise: done, resolve: leave } = Promise.withResolvers<void>();
    last = before.then(() => done);
    try {
      await Promise.race([before, aborted(signal)]);
      return await work();
    } finally {
      leave();
    }
  };
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const refuse = (): void =>
      reject(new RedroverError('cancelled', 'waiting for another build was stopped on request'));
    if (signal?.aborted === true) refuse();
    else signal?.addEventListener('abort', refuse, { once: true });
  });
}
