/** Waiting between two looks. */
import { setTimeout as delay } from 'node:timers/promises';
import type { MoveControls } from '../move-driver.ts';

/** A small migration takes some tenths of a second: looked at this often, it gains a few per cent. */
const MIN_POLL_MS = 10;
const MAX_POLL_MS = 250;
/** Of the time that it has taken already. */
const POLL_SHARE = 0.03;

/** How long to wait before the next look at what has taken so long already. */
export function pollMs(elapsedMs: number): number {
  return Math.min(Math.max(elapsedMs * POLL_SHARE, MIN_POLL_MS), MAX_POLL_MS);
}

/**
 * Rejects when the agent ends. Whoever has not been told to stop yet is woken by that.
 */
export async function pause(
  ms: number,
  { stop, detach }: Pick<MoveControls, 'stop' | 'detach'>,
): Promise<void> {
  const signal = stop.aborted ? detach : AbortSignal.any([stop, detach]);
  await delay(ms, undefined, { signal }).catch(() => {});
  detach.throwIfAborted();
}
