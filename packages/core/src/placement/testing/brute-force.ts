/**
 * The optimum by trying everything: written from the rules alone and sharing no code with the
 * planner, so that tests can hold one against the other. Only for very small cases.
 */

export interface SmallCase {
  /** Zone by host; undefined when zones are not given. */
  readonly zones: readonly (string | undefined)[];
  /** The most nodes that each host takes. */
  readonly rooms: readonly number[];
  readonly shards: number;
  readonly replicas: number;
  readonly allowSameHost: boolean;
  readonly allowWeakQuorum: boolean;
}

type Shard = readonly number[];

/** The best measures, in order of weight; undefined when every layout breaks a rule. */
export function bruteForce(small: SmallCase): number[] | undefined {
  const choices = allShards(small);
  let best: number[] | undefined;
  const visit = (from: number, chosen: readonly Shard[]) => {
    if (chosen.length === small.shards) {
      const measured = measure(small, chosen);
      if (measured !== undefined && (best === undefined || isLess(measured, best))) best = measured;
      return;
    }
    for (let index = from; index < choices.length; index += 1) {
      visit(index, [...chosen, choices[index] ?? []]);
    }
  };
  visit(0, []);
  return best;
}

/** The master's host first, then the replicas' in rising order. */
function allShards({ zones, replicas }: SmallCase): Shard[] {
  let shards: number[][] = zones.map((_, host) => [host]);
  for (let replica = 0; replica < replicas; replica += 1) {
    shards = shards.flatMap((shard) =>
      zones
        .map((_, host) => host)
        .filter((host) => replica === 0 || host >= (shard.at(-1) ?? 0))
        .map((host) => [...shard, host]),
    );
  }
  return shards;
}

/** Undefined when a rule is broken; otherwise the objective, written as in its definition. */
export function measure(small: SmallCase, shards: readonly Shard[]): number[] | undefined {
  const { zones, rooms, allowSameHost, allowWeakQuorum } = small;
  const hosts = zones.map((_, host) => host);
  const named = zones.every((zone) => zone !== undefined);
  const zoneNames = named ? [...new Set(zones)] : [];
  const inZone = (host: number) => zones[host] ?? '';
  const masters = shards.map((shard) => shard[0] ?? -1);
  const limit = Math.floor((shards.length - 1) / 2);
  const members = 1 + small.replicas;

  const nodes = hosts.map((host) => shards.flat().filter((place) => place === host).length);
  if (nodes.some((count, host) => count > (rooms[host] ?? 0))) return undefined;

  const sharedHosts = total(shards.map((shard) => shard.length - new Set(shard).size));
  const zonesEnough = zoneNames.length >= members;
  const perZone = Math.ceil(members / Math.max(1, zoneNames.length));
  const crowded = total(
    shards.map((shard) => {
      const counts = zoneNames.map((zone) => shard.filter((host) => inZone(host) === zone).length);
      const unused =
        Math.min(zoneNames.length, members) - counts.filter((count) => count > 0).length;
      return unused + total(counts.map((count) => Math.max(0, count - perZone)));
    }),
  );
  const over = (domains: readonly (readonly number[])[]) =>
    total(domains.map((domain) => Math.max(0, among(masters, domain) - limit)));
  const hostDomains = hosts.map((host) => [host]);
  const zoneDomains = zoneNames.map((zone) => hosts.filter((host) => inZone(host) === zone));
  const overHost = over(hostDomains);
  const overZone = zoneNames.length >= 3 ? over(zoneDomains) : 0;
  if (!allowSameHost && (sharedHosts > 0 || (zonesEnough && crowded > 0))) return undefined;
  if (!allowWeakQuorum && (overHost > 0 || overZone > 0)) return undefined;
  return [
    sharedHosts,
    zonesEnough ? crowded : 0,
    overHost,
    overZone,
    crowded,
    named ? worstAfterLoss(shards, zoneDomains) : 0,
    worstAfterLoss(shards, hostDomains),
    total(hosts.map((host) => masters.filter((place) => place === host).length ** 2)),
    total(nodes.map((count) => count ** 2)),
  ];
}

/** Most masters of one domain after any other one is lost, whichever replicas are promoted. */
function worstAfterLoss(shards: readonly Shard[], domains: readonly (readonly number[])[]): number {
  if (domains.length === 1) return shards.length;
  let worst = 0;
  for (const lost of domains) {
    for (const other of domains) {
      if (lost === other) continue;
      const count = shards.filter(([master = -1, ...replicas]) => {
        if (other.includes(master)) return true;
        return lost.includes(master) && replicas.some((host) => other.includes(host));
      }).length;
      worst = Math.max(worst, count);
    }
  }
  return worst;
}

function among(places: readonly number[], domain: readonly number[]): number {
  return places.filter((place) => domain.includes(place)).length;
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, value) => sum + value, 0);
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  const index = a.findIndex((value, position) => value !== b[position]);
  return index >= 0 && (a[index] ?? 0) < (b[index] ?? 0);
}
