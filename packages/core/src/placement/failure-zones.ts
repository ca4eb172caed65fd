/**
 * Decides whether zones count: only when every host has the label, as a host without one could be
 * in any zone.
 */
import type { Host } from '../model/host.ts';

/** Zone by host name; undefined when zones are not given for all of the hosts. */
export function zonesOfHosts(
  hosts: readonly Host[],
  zoneLabel: string,
): ReadonlyMap<string, string> | undefined {
  const zones = new Map<string, string>();
  for (const host of hosts) {
    const zone = zoneOf(host, zoneLabel);
    if (zone === undefined) return undefined;
    zones.set(host.name, zone);
  }
  return zones.size === 0 ? undefined : zones;
}

export function zoneOf(host: Host, zoneLabel: string): string | undefined {
  // Labels come from outside: `constructor` and the like must not be found on the prototype.
  const zone = Object.hasOwn(host.labels, zoneLabel) ? host.labels[zoneLabel] : undefined;
  return zone === '' ? undefined : zone;
}

/** With fewer zones than members some members must share one: then only hosts are kept apart. */
export function zonesKeepMembersApart(zoneCount: number, membersPerShard: number): boolean {
  return zoneCount >= membersPerShard;
}

/** With two zones, one of them always holds at least half of the masters. */
export function zonesKeepQuorum(zoneCount: number): boolean {
  return zoneCount >= 3;
}
