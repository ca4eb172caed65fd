/**
 * Two attempts of one `moveSlots` as if they had been one. Such a step may be tried again for days,
 * as long as each try gets further: its journal must not grow with it, nor forget what was moved.
 */
import type { Attempt, MoveReport, QuarantinedSlot } from '@redrover/core';

/** More than any pair should have; people read these. */
const MAX_NOTES = 20;

/** Neither of them is under way. */
export function foldAttempts(older: Attempt, newer: Attempt): Attempt {
  // One that a dead controller left running says nothing of how it went.
  const last = newer.outcome === 'running' ? older : newer;
  return { ...last, startedAtMs: older.startedAtMs, move: foldReports(older.move, newer.move) };
}

function foldReports(
  older: MoveReport | undefined,
  newer: MoveReport | undefined,
): MoveReport | undefined {
  if (older === undefined || newer === undefined) return newer ?? older;
  return {
    engine: newer.engine,
    slotsMoved: older.slotsMoved + newer.slotsMoved,
    keysMoved: older.keysMoved + newer.keysMoved,
    bytesMoved: older.bytesMoved + newer.bytesMoved,
    blockedMs: Math.max(older.blockedMs, newer.blockedMs),
    quarantined: foldQuarantined(older.quarantined, newer.quarantined),
    notes: [...new Set([...older.notes, ...newer.notes])].slice(-MAX_NOTES),
  };
}

/** What was said of a slot last. */
function foldQuarantined(
  older: readonly QuarantinedSlot[],
  newer: readonly QuarantinedSlot[],
): QuarantinedSlot[] {
  const bySlot = new Map([...older, ...newer].map((entry) => [entry.slot, entry]));
  return [...bySlot.values()].sort((a, b) => a.slot - b.slot);
}
