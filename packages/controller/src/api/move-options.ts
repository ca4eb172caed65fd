/** How slots are to be moved, as a request says it: checked before anything is planned. */
import { RedroverError, type MoveOptions } from '@redrover/core';
import type { MoveOptions as MoveOptionsMessage } from '@redrover/proto';
import { moveOptionsFromProto } from '@redrover/wire';

/** A command that blocks a node for longer would be the failure that moving slots must not be. */
const MAX_LATENCY_MS = 1_000;

/** Below this a single window of slots would be open for hours. */
const MIN_RATE_BYTES_PER_S = 10_240;

/** @throws RedroverError `invalid-argument`. */
export function readMoveOptions(message: MoveOptionsMessage | undefined): MoveOptions {
  const move = moveOptionsFromProto(message);
  if (move.maxLatencyMs > MAX_LATENCY_MS) {
    throw invalid(
      `move.max_latency_ms: got ${move.maxLatencyMs}, expected 1 to ${MAX_LATENCY_MS}, or 0 for ` +
        'the default of the pace',
    );
  }
  if (move.rateBytesPerS > 0 && move.rateBytesPerS < MIN_RATE_BYTES_PER_S) {
    throw invalid(
      `move.rate_bytes_per_s: got ${move.rateBytesPerS}, expected at least ` +
        `${MIN_RATE_BYTES_PER_S}, or 0 for no limit`,
    );
  }
  return move;
}

function invalid(message: string): RedroverError {
  return new RedroverError('invalid-argument', message);
}
