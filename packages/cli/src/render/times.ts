/** Timestamps of the wire as milliseconds since the epoch, and as text for scripts. */
import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { timestampMs as toMs } from '@bufbuild/protobuf/wkt';

/** Undefined for a time that is not set. */
export function timestampMs(timestamp: Timestamp | undefined): number | undefined {
  if (timestamp === undefined || timestamp.seconds === 0n) return undefined;
  return toMs(timestamp);
}

/** ISO 8601; null for a time that is not known, so that the field is always there. */
export function isoTime(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : new Date(timeMs).toISOString();
}
