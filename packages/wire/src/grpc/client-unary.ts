/** Calls with one answer: unary and client streaming. */
import type { ServiceError } from '@grpc/grpc-js';
import { RedroverError } from '@redrover/core';
import { callError, cancelOnAbort, grpcCallOptions } from './call-target.ts';
import type { Limits, MethodTarget } from './call-target.ts';

export async function callUnary(
  target: MethodTarget,
  request: object,
  limits: Limits,
): Promise<object> {
  const options = grpcCallOptions(limits);
  const answer = Promise.withResolvers<object>();
  const call = target.grpc.makeUnaryRequest(
    target.path,
    target.serialize,
    target.deserialize,
    request,
    target.metadata(),
    options,
    settle(target, limits, answer),
  );
  const unwatch = cancelOnAbort(call, limits.signal);
  return answer.promise.finally(unwatch);
}

/**
 * Sends what `requests` yields, no faster than the peer takes it. If the server answers or fails early, no more is
 * taken from `requests`. If `requests` throws, the call is cancelled and that error is thrown as it is.
 */
export async function callClientStreaming(
  target: MethodTarget,
  requests: AsyncIterable<object>,
  limits: Limits,
): Promise<object> {
  const options = grpcCallOptions(limits);
  const answer = Promise.withResolvers<object>();
  const call = target.grpc.makeClientStreamRequest(
    target.path,
    target.serialize,
    target.deserialize,
    target.metadata(),
    options,
    settle(target, limits, answer),
  );
  // A write after the end of the call emits this as well; the answer says what happened.
  call.on('error', () => {});
  const unwatch = cancelOnAbort(call, limits.signal);
  let ended = false;
  const end = answer.promise.then(
    () => (ended = true),
    () => (ended = true),
  );
  try {
    for await (const request of untilEnd(requests, end)) {
      if (ended) break;
      const written = new Promise<void>((resolve) => call.write(request, () => resolve()));
      // The write's callback may never come when the call ends meanwhile.
      await Promise.race([written, end]);
      if (ended) break;
    }
    call.end();
    return await answer.promise;
  } catch (thrown) {
    call.cancel();
    throw thrown;
  } finally {
    unwatch();
  }
}

/** The items of `source` until `end` is settled, also when the source is waiting for something then. */
async function* untilEnd<T>(source: AsyncIterable<T>, end: Promise<unknown>): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  let exhausted = false;
  try {
    for (;;) {
      const next = iterator.next();
      const item = await Promise.race([next, end.then(() => undefined)]);
      if (item === undefined) {
        // Nobody waits for it any more, and it may fail yet.
        next.catch(() => {});
        return;
      }
      if (item.done === true) {
        exhausted = true;
        return;
      }
      yield item.value;
    }
  } catch (thrown) {
    exhausted = true;
    throw thrown;
  } finally {
    // Not awaited: a source that still waits for something would hold the answer back.
    if (!exhausted) void Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

function settle(
  target: MethodTarget,
  limits: Limits,
  answer: PromiseWithResolvers<object>,
): (error: ServiceError | null, response?: object) => void {
  return (error, response) => {
    if (error !== null) answer.reject(callError(error, target, limits.signal));
    else if (response !== undefined) answer.resolve(response);
    else answer.reject(new RedroverError('internal', `${target.path} ended without an answer`));
  };
}
