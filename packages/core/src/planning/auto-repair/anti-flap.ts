/** How past repairs hold back the next automatic one. */
import type { Operation } from '../../model/operation.ts';

const HOUR_MS = 3_600_000;

/** What a repair did itself may take so long to show everywhere: gossip, restarts, heartbeats. */
const SETTLING_MS = 60_000;

/** Repairs in a row that brought nothing; then it is a person's turn. */
export const MAX_FRUITLESS = 3;

export interface RepairRecord {
  /** Repairs of the cluster, the newest first; none of them is under way. */
  readonly pastRepairs: readonly Operation[];
  readonly repairQuietMs: number;
  /** Since when `topologyMark` is the same. */
  readonly quietSinceMs: number;
  readonly now: number;
}

export interface QuietPeriod {
  readonly quietMs: number;
  /** When it ends, if nothing changes until then. */
  readonly dueAtMs: number;
  /** Automatic repairs of the last hour, each of which doubles it. */
  readonly recent: number;
}

/** Never longer than an hour, or than the spec says. A repair that ended begins it anew. */
export function quietPeriodOf(record: RepairRecord): QuietPeriod {
  const { pastRepairs, repairQuietMs, quietSinceMs, now } = record;
  const recent = pastRepairs.filter(
    ({ automatic, createdAtMs }) => automatic && createdAtMs > now - HOUR_MS,
  ).length;
  const quietMs = Math.min(repairQuietMs * 2 ** recent, longestQuietMs(record));
  const endedAtMs = pastRepairs[0]?.endedAtMs ?? 0;
  return { quietMs, dueAtMs: Math.max(quietSinceMs, endedAtMs) + quietMs, recent };
}

/**
 * How many automatic repairs in a row failed, or left something to repair. A person's repair ends
 * the row, and so does any change of the topology since the last one that was not its own doing.
 * Only to be asked while there is something to repair.
 */
export function countFruitless(record: RepairRecord): number {
  const { pastRepairs, quietSinceMs } = record;
  const [newest] = pastRepairs;
  if (newest === undefined || quietSinceMs > endOf(newest) + SETTLING_MS) return 0;
  let count = 0;
  let next: Operation | undefined;
  for (const repair of pastRepairs) {
    // The next one came so late that something else must have happened in between.
    const gapMs = next === undefined ? 0 : next.createdAtMs - endOf(repair);
    if (!repair.automatic || gapMs > longestQuietMs(record) + SETTLING_MS) break;
    count += 1;
    next = repair;
  }
  return count;
}

function longestQuietMs({ repairQuietMs }: RepairRecord): number {
  return Math.max(repairQuietMs, HOUR_MS);
}

function endOf({ endedAtMs, createdAtMs }: Operation): number {
  return endedAtMs ?? createdAtMs;
}
