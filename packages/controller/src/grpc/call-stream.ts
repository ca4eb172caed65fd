/**
 * Reads and writes streaming calls at the pace of whoever is slower, and stops when the peer is
 * gone. (Node's own async iteration would destroy the call before its status is sent.)
 */
import type { ServerReadableStream, ServerWritableStream } from '@grpc/grpc-js';

type ReadableCall<Message> = Pick<
  ServerReadableStream<Message, unknown>,
  'on' | 'off' | 'pause' | 'resume'
>;
type WritableCall = Pick<
  ServerWritableStream<unknown, unknown>,
  'write' | 'on' | 'off' | 'cancelled' | 'destroyed'
>;

/** The peer's messages in order; ends when the peer has said all, or is gone. */
export async function* readAll<Message>(call: ReadableCall<Message>): AsyncGenerator<Message> {
  const queue: Message[] = [];
  let isOver = false;
  let wake = (): void => undefined;
  call.on('data', (message: Message) => {
    queue.push(message);
    call.pause();
    wake();
  });
  for (const event of ['end', 'cancelled', 'close', 'error'] as const) {
    call.on(event, () => {
      isOver = true;
      wake();
    });
  }
  for (;;) {
    const message = queue.shift();
    if (message !== undefined) yield message;
    else if (isOver) return;
    else {
      const woken = new Promise<void>((resolve) => (wake = resolve));
      call.resume();
      await woken;
    }
  }
}

/**
 * Resolves when everything was handed to the peer's stream, or when the peer is gone; `stop` is
 * called then, so that a source that is waiting for something to tell ends as well.
 */
export async function writeAll(
  call: WritableCall,
  messages: AsyncIterable<object>,
  stop: () => void = () => undefined,
): Promise<void> {
  call.on('cancelled', stop);
  for await (const message of messages) {
    if (isGone(call)) return;
    if (!call.write(message)) await untilWritable(call);
  }
}

function isGone(call: WritableCall): boolean {
  return call.cancelled || call.destroyed;
}

async function untilWritable(call: WritableCall): Promise<void> {
  if (isGone(call)) return;
  await new Promise<void>((resolve) => {
    const events = ['drain', 'cancelled', 'close', 'error'] as const;
    const settle = (): void => {
      for (const event of events) call.off(event, settle);
      resolve();
    };
    for (const event of events) call.on(event, settle);
  });
}
