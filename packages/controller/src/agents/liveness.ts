/** How alive a host looks, by how long its agent has been silent. */
import type { HostStatus } from '@redrover/core';

/** Once a second: a dead process is seen within a second, and 200 hosts cost next to nothing. */
export const HEARTBEAT_INTERVAL_MS = 1_000;

/** Two beats are missed for certain: a quarter of a beat is left for jitter. */
export const SUSPECT_AFTER_MS = 2 * HEARTBEAT_INTERVAL_MS + HEARTBEAT_INTERVAL_MS / 4;

/** Below the default node timeout of 5 s, so that it is said before Redis acts on it. */
export const LOST_AFTER_MS = 3_000;

export function statusOfSilence(silenceMs: number): HostStatus {
  if (silenceMs >= LOST_AFTER_MS) return 'lost';
  return silenceMs >= SUSPECT_AFTER_MS ? 'suspect' : 'online';
}
