/** Shares out equal things over hosts as evenly as bounds on hosts and zones allow. */

export interface EvenSpread {
  readonly count: number;
  readonly hosts: readonly { readonly zone: number; readonly min: number; readonly max: number }[];
  /** The most for all hosts of one zone together. */
  readonly zoneMax: number;
}

/**
 * How many each host gets, with the least sum of squares; undefined when they cannot all be placed.
 *
 * Bounds on hosts within bounds on zones are laminar, so their feasible shares form a polymatroid,
 * on which giving each next thing to the host that has the fewest is optimal.
 */
export function spreadEvenly({ count, hosts, zoneMax }: EvenSpread): number[] | undefined {
  const shares = hosts.map((host) => host.min);
  const zones = new Map<number, number>();
  for (const host of hosts) zones.set(host.zone, (zones.get(host.zone) ?? 0) + host.min);
  let left = count - shares.reduce((sum, share) => sum + share, 0);
  if (left < 0 || [...zones.values()].some((total) => total > zoneMax)) return undefined;
  if (hosts.some((host) => host.min > host.max)) return undefined;
  for (; left > 0; left -= 1) {
    let best = -1;
    for (const [index, host] of hosts.entries()) {
      const share = shares[index] ?? 0;
      if (share >= host.max || (zones.get(host.zone) ?? 0) >= zoneMax) continue;
      if (best < 0 || share < (shares[best] ?? 0)) best = index;
    }
    const chosen = hosts[best];
    if (chosen === undefined) return undefined;
    shares[best] = (shares[best] ?? 0) + 1;
    zones.set(chosen.zone, (zones.get(chosen.zone) ?? 0) + 1);
  }
  return shares;
}

export function sumOfSquares(shares: readonly number[]): number {
  return shares.reduce((sum, share) => sum + share * share, 0);
}
