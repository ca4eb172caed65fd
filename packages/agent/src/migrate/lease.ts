/**
 * Until when a mover may work: a time by the clock that counts from the boot of the host, which agent and
 * mover share and nobody can set. What wall clocks say plays no part in it.
 */
import { uptime } from 'node:os';
import { readBootId } from '../supervise/processes.ts';

export interface Lease {
  /** Milliseconds since the boot, time that the host slept included. */
  readonly untilMs: number;
  /** Of another boot: it has lapsed. */
  readonly bootId: string;
}

/** No process sees two boots. */
const bootId = readBootId();

/** /proc/uptime, where there is one: the same for every process of a host, also in a container. */
export function hostUptimeMs(): number {
  return uptime() * 1000;
}

export function leaseFor(durationMs: number): Lease {
  return { untilMs: hostUptimeMs() + durationMs, bootId };
}

/** Negative once it has lapsed; a file without a lease, or with one of another boot, gives none. */
export function remainingMs(lease: Lease | undefined): number {
  if (lease === undefined || lease.bootId !== bootId) return Number.NEGATIVE_INFINITY;
  return lease.untilMs - hostUptimeMs();
}
