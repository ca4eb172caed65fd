/** How slots are put together to be opened, moved and handed over at once. Pure; what is done to a window is the mover's. */
import type { MoveLimits } from './move-limits.ts';

/**
 * So that a look at a window, and its end after a stop, still take a moment. Slots without keys are as many: each window
 * makes every node of the cluster sync its nodes.conf.
 */
const MAX_WINDOW_SLOTS = 512;

/**
 * How many of the windows that wait are taken as one: with nobody at work, none is there who could miss what is in them.
 *
 * @param sizes slots of each, in order.
 */
export function joinWindows(
  sizes: readonly number[],
  { idleWindows }: Pick<MoveLimits, 'idleWindows'>,
): number {
  let slots = 0;
  const end = sizes.findIndex((size, index) => {
    slots += size;
    return index > 0 && (index >= idleWindows || slots > MAX_WINDOW_SLOTS);
  });
  return end === -1 ? sizes.length : end;
}

/**
 * In the order of the slots, so that views stay short. What a window costs is the same for any: so it takes slots with few
 * keys until they make a good number together, and of those with many keys a few.
 */
export function planWindows(
  slots: readonly number[],
  keysOf: (slot: number) => number,
  { windowSlots, windowKeys }: Pick<MoveLimits, 'windowSlots' | 'windowKeys'>,
): number[][] {
  const windows: number[][] = [];
  let window: number[] = [];
  let withKeys = 0;
  let keys = 0;
  for (const slot of slots) {
    const own = keysOf(slot);
    const isEnough = own > 0 && withKeys >= windowSlots && keys + own > windowKeys;
    if (isEnough || window.length >= MAX_WINDOW_SLOTS) {
      windows.push(window);
      [window, withKeys, keys] = [[], 0, 0];
    }
    window.push(slot);
    if (own > 0) withKeys += 1;
    keys += own;
  }
  if (window.length > 0) windows.push(window);
  return windows;
}
