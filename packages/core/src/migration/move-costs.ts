/**
 * What moving keys costs, as measured on two cores over loopback with Redis 7.0.15, 8.6.3 and Valkey 9.1.2 (1 M keys of
 * 100 bytes). For predictions that people read, and for ceilings; never for a decision about safety.
 */
import type { MoveEngine, MoveOptions } from '../model/migration.ts';

/**
 * Bytes of one large key (`MEMORY USAGE`) that MIGRATE serialises, sends and restores in a millisecond of blocking. Big
 * collections are the slow case, and a hash of 300 MB has caused a failover at a timeout of some seconds.
 */
export const BLOCKING_BYTES_PER_MS = 50_000;

/** Even the smallest key takes a round trip. */
export const BLOCKING_MIN_MS = 0.1;

/** Copies that atomic engines make block no client; the final handover pauses writes to the slots for about this long. */
export const ATOMIC_HANDOVER_MS = 10;

interface Pace {
  readonly keysPerS: number;
  readonly bytesPerS: number;
  /** With the window of the pace. */
  readonly slotsPerS: number;
  /** Once per pair. */
  readonly startMs: number;
}

/**
 * `migrate`: 57 k keys/s in fast (8 slots in flight), two thirds of it in gentle, whose windows are smaller, and where
 * clients are at work a tenth; slots by windows of 16 and 64 (4096 empty slots in 0.82 and 0.57 s). The atomic ones: 250 k keys of about
 * 170 bytes in 0.79 s (Valkey) and 0.37 s (Redis), three sources together.
 */
const PACES: Readonly<Record<MoveEngine, Readonly<Record<MoveOptions['pace'], Pace>>>> = {
  migrate: {
    gentle: { keysPerS: 35_000, bytesPerS: 80e6, slotsPerS: 5000, startMs: 300 },
    fast: { keysPerS: 57_000, bytesPerS: 150e6, slotsPerS: 7000, startMs: 300 },
  },
  'redis-atomic': {
    gentle: { keysPerS: 650_000, bytesPerS: 200e6, slotsPerS: 100_000, startMs: 200 },
    fast: { keysPerS: 650_000, bytesPerS: 200e6, slotsPerS: 100_000, startMs: 200 },
  },
  'valkey-atomic': {
    gentle: { keysPerS: 320_000, bytesPerS: 150e6, slotsPerS: 100_000, startMs: 200 },
    fast: { keysPerS: 320_000, bytesPerS: 150e6, slotsPerS: 100_000, startMs: 200 },
  },
};

export interface MoveSize {
  readonly slots: number;
  readonly keys: number;
  readonly bytes: number;
}

/** How long one pair takes when it has its nodes for itself, in milliseconds. */
export function predictDurationMs(
  engine: MoveEngine,
  options: MoveOptions,
  size: MoveSize,
): number {
  const pace = PACES[engine][options.pace];
  const limited = engine === 'migrate' && options.rateBytesPerS > 0;
  const bytesPerS = limited ? Math.min(pace.bytesPerS, options.rateBytesPerS) : pace.bytesPerS;
  const dataS = Math.max(size.keys / pace.keysPerS, size.bytes / bytesPerS);
  return Math.round(pace.startMs + (dataS + size.slots / pace.slotsPerS) * 1000);
}

/** How long a key of that size blocks its node, in milliseconds. */
export function predictBlockingMs(engine: MoveEngine, largestKeyBytes: number): number {
  if (engine !== 'migrate') return ATOMIC_HANDOVER_MS;
  if (largestKeyBytes === 0) return 0;
  return Math.max(BLOCKING_MIN_MS, Math.round((largestKeyBytes / BLOCKING_BYTES_PER_MS) * 10) / 10);
}
