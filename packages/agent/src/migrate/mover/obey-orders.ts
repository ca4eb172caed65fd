/** When a mover stops: told so by its orders or a signal, or because its lease has lapsed. */
import { RedroverError } from '@redrover/core';
import { hostUptimeMs, remainingMs } from '../lease.ts';
import type { TaskFiles } from '../task-files.ts';

/** A pause shall take effect within a second; reading a small file costs next to nothing. */
const LOOK_EVERY_MS = 100;

/** Without any orders at all, as when somebody has removed them. */
const GRACE_MS = 60_000;

/** Aborts `stop`: without a reason of ours when it was asked for, else with one. Answers how to end looking. */
export function obeyOrders(files: TaskFiles, stop: AbortController): { end: () => void } {
  const onSignal = (): void => stop.abort();
  let untilMs = Infinity;
  const look = (): void => {
    const orders = files.peekOrders();
    if (stop.signal.aborted) return;
    if (orders?.stop === true) stop.abort();
    const nowMs = hostUptimeMs();
    // Orders that cannot be read prolong nothing.
    untilMs =
      orders === undefined
        ? Math.min(untilMs, nowMs + GRACE_MS)
        : nowMs + remainingMs(orders.lease);
    if (nowMs >= untilMs) stop.abort(lapsed());
  };
  const timer = setInterval(() => look(), LOOK_EVERY_MS);
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return {
    end: () => {
      clearInterval(timer);
      process.off('SIGTERM', onSignal);
      process.off('SIGINT', onSignal);
    },
  };
}

function lapsed(): RedroverError {
  return new RedroverError(
    'unavailable',
    'the mover stopped at the end of its window, as nobody has renewed its lease: the controller ' +
      'was not heard, or wanted nothing more of it',
  );
}
