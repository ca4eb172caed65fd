/** Calls with many answers: server streaming and bidirectional. */
import { status as Status } from '@grpc/grpc-js';
import type { ClientReadableStream } from '@grpc/grpc-js';
import { RedroverError } from '@redrover/core';
import { callError, cancelOnAbort, grpcCallOptions } from './call-target.ts';
import type { Limits, MethodTarget } from './call-target.ts';

/** A bidirectional call under way. It ends for both sides at once: when `messages` ends or throws. */
export interface BidiCall<Request, Response> {
  /**
   * Resolves when the transport took the message: whoever awaits each send goes no faster than the peer reads.
   * Throws what ended the call, or `failed-precondition` after `close`.
   */
  send(message: Request): Promise<void>;
  /** What the server sends; to be iterated once. Throws what ended the call, unless the server ended it well. */
  readonly messages: AsyncIterable<Response>;
  /** Says that nothing more will be sent; the server's messages still come. */
  close(): void;
  /** Ends the call now: `messages` throws `cancelled`. */
  cancel(): void;
}

/**
 * The call starts with the iteration, and leaving the loop early cancels it. Messages that arrived before an error
 * are yielded before it is thrown.
 */
export async function* startServerStreaming(
  target: MethodTarget,
  request: object,
  limits: Limits,
): AsyncGenerator<object> {
  const call = target.grpc.makeServerStreamRequest(
    target.path,
    target.serialize,
    target.deserialize,
    request,
    target.metadata(),
    grpcCallOptions(limits),
  );
  yield* receive(call, watchEnd(call, target, limits));
}

export function startBidi(target: MethodTarget, limits: Limits): BidiCall<object, object> {
  const call = target.grpc.makeBidiStreamRequest(
    target.path,
    target.serialize,
    target.deserialize,
    target.metadata(),
    grpcCallOptions(limits),
  );
  const end = watchEnd(call, target, limits);
  let closed = false;
  return {
    send: async (message) => {
      if (end.reached) throw end.failure ?? endedByPeer(target);
      if (closed) {
        throw new RedroverError('failed-precondition', `${target.path} was closed by this side`);
      }
      const written = new Promise<void>((resolve) => call.write(message, () => resolve()));
      // The write's callback may never come when the call ends meanwhile.
      await Promise.race([written, end.settled]);
      if (end.reached) throw end.failure ?? endedByPeer(target);
    },
    messages: receive(call, end),
    close: () => {
      closed = true;
      call.end();
    },
    cancel: () => call.cancel(),
  };
}

/** How the call ended, once it did; `failure` undefined: the server ended it well. */
interface CallEnd {
  readonly settled: Promise<void>;
  reached: boolean;
  failure: RedroverError | undefined;
}

function watchEnd(
  call: ClientReadableStream<object>,
  target: MethodTarget,
  limits: Limits,
): CallEnd {
  const { promise: settled, resolve } = Promise.withResolvers<void>();
  const end: CallEnd = { settled, reached: false, failure: undefined };
  const unwatch = cancelOnAbort(call, limits.signal);
  // Without a listener Node would throw an `error` that comes before the iteration or after it. Errors of the stream
  // itself (a write after the end) say less than the status, which always comes.
  call.on('error', () => {});
  call.on('status', (status) => {
    unwatch();
    end.reached = true;
    if (status.code !== Status.OK) {
      end.failure = callError(
        Object.assign(new Error(status.details), status),
        target,
        limits.signal,
      );
    }
    resolve();
  });
  return end;
}

async function* receive(call: ClientReadableStream<object>, end: CallEnd): AsyncGenerator<object> {
  try {
    // Not destroyed on return: the cancelled call ends the stream by itself.
    for await (const message of call.iterator({ destroyOnReturn: false })) {
      yield message as object;
    }
  } catch (thrown) {
    await end.settled;
    throw end.failure ?? RedroverError.from(thrown);
  } finally {
    // Does nothing after the end of the call.
    call.cancel();
  }
  // An error that came before the iteration began ends the stream without being thrown there.
  await end.settled;
  if (end.failure !== undefined) throw end.failure;
}

function endedByPeer(target: MethodTarget): RedroverError {
  return new RedroverError('unavailable', `${target.address} ended ${target.path}`);
}
