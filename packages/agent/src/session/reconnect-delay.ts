/** How long an agent waits before it dials again. Pure. */

const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 10_000;

/**
 * Doubles with each failure in a row, from 0.2 s to 10 s, of which a random half is taken off: after
 * a controller's restart a thousand agents must not knock at once. `random` is 0 to 1.
 */
export function reconnectDelayMs(failures: number, random: number): number {
  const longest = Math.min(FIRST_DELAY_MS * 2 ** Math.min(failures - 1, 16), LONGEST_DELAY_MS);
  return Math.round(longest * (1 - random / 2));
}
