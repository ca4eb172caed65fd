/**
 * How much of the nodes' time a mover takes: as much as it can where no client is at work, a bounded share where some
 * are. Pure: loads and times come in, states go out. How much one batch takes is `batch-control.ts`'s business.
 */
import type { EndLoad } from './client-load.ts';
import type { MoveLimits } from './move-limits.ts';

type PaceLimits = Pick<MoveLimits, 'busyShare'>;

export interface PaceState {
  /** Clients are at work on an end, or nobody knows. */
  readonly isInUse: boolean;
  /** For how long no client was. */
  readonly quietMs: number;
  /** Of the time, for this mover; less than the limit when others move to the same target. */
  readonly share: number;
}

/** A monitor of somebody's own asks a few times a second; whoever has users asks more. */
const CLIENT_CALLS_PER_S = 20;
/** A client that writes in bursts is one all the same. */
const QUIET_MS = 1_000;
/** Of the limit. A mover never stands still for others, or a window would stay open. */
const LEAST_SHARE = 0.1;
/** A look, at the most: what others leave is taken slowly. */
const SHARE_GROWTH = 1.25;

/** Somebody may be at work; the first look that finds nobody is enough. */
export function startPace({ busyShare }: PaceLimits): PaceState {
  return { isInUse: true, quietMs: QUIET_MS, share: busyShare };
}

/** @param loads of both ends since the last look; undefined: not known. */
export function nextPace(
  state: PaceState,
  { busyShare }: PaceLimits,
  seen: { readonly loads: readonly (EndLoad | undefined)[]; readonly elapsedMs: number },
): PaceState {
  const known = seen.loads.filter((load) => load !== undefined);
  const taken = Math.max(0, ...known.map(({ moveShare }) => moveShare));
  const wanted = taken > busyShare ? (state.share * busyShare) / taken : state.share * SHARE_GROWTH;
  const share = Math.min(busyShare, Math.max(busyShare * LEAST_SHARE, wanted));
  if (known.some(({ clientCallsPerS }) => clientCallsPerS > CLIENT_CALLS_PER_S)) {
    return { isInUse: true, quietMs: 0, share };
  }
  if (known.length < seen.loads.length) return { ...state, share };
  const quietMs = state.quietMs + seen.elapsedMs;
  return { isInUse: state.isInUse && quietMs < QUIET_MS, quietMs, share };
}
