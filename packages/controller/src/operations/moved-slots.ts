/** What an operation has moved so far, from the reports of its attempts. */
import type { Attempt } from '@redrover/core';

export interface MovedSlots {
  readonly slots: number;
  readonly keys: number;
  readonly bytes: number;
}

export function sumMoved(attempts: readonly Attempt[]): MovedSlots {
  let slots = 0;
  let keys = 0;
  let bytes = 0;
  for (const { move } of attempts) {
    slots += move?.slotsMoved ?? 0;
    keys += move?.keysMoved ?? 0;
    bytes += move?.bytesMoved ?? 0;
  }
  return { slots, keys, bytes };
}

/** As people read it; empty where nothing was moved. */
export function describeMoved(attempts: readonly Attempt[]): string {
  const { slots, keys } = sumMoved(attempts);
  if (slots === 0 && keys === 0) return '';
  const moved = `${slots} slot${slots === 1 ? '' : 's'} with ${keys.toLocaleString('en')} key${keys === 1 ? '' : 's'}`;
  return `${moved} had been moved and stay where they are now`;
}

/** How many slots were left where they are for a person to decide. */
export function countQuarantined(attempts: readonly Attempt[]): number {
  return new Set(attempts.flatMap(({ move }) => move?.quarantined.map(({ slot }) => slot) ?? []))
    .size;
}
