/** What an operation has moved so far, from its journal: by pair, and all of it. Rendering is elsewhere. */
import type { Attempt, MoveEngine, QuarantinedSlot } from '@redrover/core';

export interface MovedTotals {
  readonly slots: number;
  readonly keys: number;
  readonly bytes: number;
  /** Of the moving alone: from the first attempt to the end of the last, without the time between. */
  readonly durationMs: number;
  readonly keysPerS: number;
  /** The longest that one command blocked a node. */
  readonly blockedMs: number;
}

export interface MovedPair extends MovedTotals {
  readonly source: string;
  readonly target: string;
  readonly engine: MoveEngine;
  readonly attempts: number;
}

export interface MovedSummary extends MovedTotals {
  readonly pairs: readonly MovedPair[];
  /** Left for a person, as it was said of each last. */
  readonly quarantined: readonly QuarantinedSlot[];
  readonly notes: readonly string[];
}

/** Null where no slots were to be moved. */
export function summarizeMoved(attempts: readonly Attempt[]): MovedSummary | null {
  const moves = attempts.filter(({ stepKey }) => stepKey.startsWith('moveSlots '));
  if (moves.length === 0) return null;
  const byPair = Map.groupBy(moves, ({ stepKey }) => stepKey);
  const reports = moves.flatMap(({ move }) => move ?? []);
  const quarantined = new Map(
    reports.flatMap((report) => report.quarantined.map((each) => [each.slot, each] as const)),
  );
  return {
    ...addUp(moves),
    pairs: [...byPair].map(([key, ofPair]) => toPair(key, ofPair)),
    quarantined: [...quarantined.values()].sort((a, b) => a.slot - b.slot),
    notes: [...new Set(reports.flatMap(({ notes }) => notes))],
  };
}

function toPair(key: string, attempts: readonly Attempt[]): MovedPair {
  const [, source = '', , target = '', engine = ''] = key.split(' ');
  return {
    source,
    target,
    engine: engine as MoveEngine,
    ...addUp(attempts),
    attempts: attempts.length,
  };
}

function addUp(attempts: readonly Attempt[]): MovedTotals {
  const reports = attempts.flatMap(({ move }) => move ?? []);
  const sum = (of: (report: (typeof reports)[number]) => number): number =>
    reports.reduce((total, report) => total + of(report), 0);
  const keys = sum(({ keysMoved }) => keysMoved);
  const durationMs = timeSpent(attempts);
  return {
    slots: sum(({ slotsMoved }) => slotsMoved),
    keys,
    bytes: sum(({ bytesMoved }) => bytesMoved),
    durationMs,
    keysPerS: durationMs === 0 ? 0 : Math.round((keys * 1000) / durationMs),
    blockedMs: Math.round(Math.max(0, ...reports.map(({ blockedMs }) => blockedMs)) * 10) / 10,
  };
}

/** Several pairs move at the same time: what overlaps counts once. */
function timeSpent(attempts: readonly Attempt[]): number {
  const spans = attempts
    .flatMap(({ startedAtMs, endedAtMs }) => (endedAtMs ? [[startedAtMs, endedAtMs] as const] : []))
    .sort(([a], [b]) => a - b);
  let spentMs = 0;
  let untilMs = 0;
  for (const [startMs, endMs] of spans) {
    spentMs += Math.max(0, endMs - Math.max(startMs, untilMs));
    untilMs = Math.max(untilMs, endMs);
  }
  return spentMs;
}
