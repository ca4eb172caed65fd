/**
 * Places equal nodes freely: masters as evenly as the quorum allows, then the replicas by flow.
 *
 * With masters given, "replicas of the masters on X that go to Y" is a transportation problem. A
 * cap of W − masters(Y) on each pair says that no host holds more than W masters after losing any
 * other; the smallest W for which the flow carries all replicas is found by bisection. Giving each
 * next unit to the host with the fewest nodes that can still be reached is optimal for the balance
 * of nodes, as the fillable sets form a polymatroid. With zones the same is done twice: between
 * zones first, then between the hosts of each pair.
 */
import { FlowNetwork } from './flow-network.ts';
import type { HostBounds } from './lower-bound.ts';
import { hostBounds, spreadMasters } from './lower-bound.ts';
import type { Assignment, PlacementProblem } from './placement-problem.ts';
import { membersPerZone } from './placement-problem.ts';
import type { Measure, Score } from './score.ts';
import { measureOf } from './score.ts';

/** Replicas of the masters on `host` that go to hosts of `zone`. */
interface Row {
  readonly host: number;
  readonly zone: number;
  readonly supply: number;
}

interface Setting {
  readonly problem: PlacementProblem;
  readonly bounds: readonly HostBounds[];
  /** By host. */
  readonly masters: readonly number[];
}

export interface FlowPlacement {
  readonly assignment: Assignment;
  /** Whether it is the optimum if it reaches the bound of all measures but the last. */
  readonly balanced: boolean;
}

/**
 * `bound` is what no assignment can beat. Undefined when this way finds no place for all nodes,
 * which does not prove that none exists.
 */
export function placeByFlow(problem: PlacementProblem, bound: Score): FlowPlacement | undefined {
  const bounds = hostBounds(problem);
  // A zone with more masters than the bound says cannot come down to it; hosts come second.
  const zoneMax = measureOf(bound, 'masters in one zone after losing one');
  const narrow = problem.zoneCount > 1 ? spreadMasters(problem, bounds, zoneMax) : undefined;
  const wide = spreadMasters(problem, bounds);
  for (const masters of [narrow, wide]) {
    if (masters === undefined) continue;
    const assignment = placeReplicas({ problem, bounds, masters }, bound);
    if (assignment === undefined) continue;
    // Where hosts are alike, any even spread of the masters is as good as any other.
    return { assignment, balanced: problem.zoneCount <= 1 && areAlike(bounds) };
  }
  return undefined;
}

function placeReplicas(setting: Setting, bound: Score): Assignment | undefined {
  const { problem, masters } = setting;
  const most = problem.shards.length;
  const range = (measure: Measure) => ({ least: Math.max(1, measureOf(bound, measure)), most });
  const inZone = range('masters in one zone after losing one');
  // A shard counts once in a zone: with a member in every zone there is nothing to choose.
  const zoneRange = problem.replicas >= problem.zoneCount ? { least: most, most } : inZone;
  const rows =
    problem.zoneCount > 1
      ? smallest(zoneRange, (limit) => spreadOverZones(setting, limit))
      : masters.map((count, host) => ({ host, zone: 0, supply: count * problem.replicas }));
  if (rows === undefined) return undefined;
  const replicas = smallest(range('masters on one host after losing one'), (limit) =>
    spreadOverHosts(setting, rows, limit),
  );
  return replicas === undefined ? undefined : dealOut(setting, replicas);
}

function areAlike(bounds: readonly HostBounds[]): boolean {
  const first = bounds[0];
  return bounds.every(
    ({ nodes, masters }) => nodes.max === first?.nodes.max && masters.max === first.masters.max,
  );
}

/**
 * The answer for the smallest limit that has one; more room never takes it away. Mostly that is the
 * least that counting allows or one near it, so strides grow from there, then halve.
 */
function smallest<T>(
  range: { readonly least: number; readonly most: number },
  attempt: (limit: number) => T | undefined,
): T | undefined {
  let [low, high] = [range.least, range.least];
  let best = attempt(high);
  for (let stride = 1; best === undefined && high < range.most; stride *= 2) {
    low = high + 1;
    high = Math.min(range.most, high + stride);
    best = attempt(high);
  }
  while (best !== undefined && low < high) {
    const middle = Math.floor((low + high) / 2);
    const answer = attempt(middle);
    if (answer === undefined) {
      low = middle + 1;
    } else {
      best = answer;
      high = middle;
    }
  }
  return best;
}

/** How many replicas of each host's masters go to each zone; `limit` masters in a zone at most. */
function spreadOverZones(setting: Setting, limit: number): Row[] | undefined {
  const { problem, masters } = setting;
  const { hosts, zoneCount, replicas } = problem;
  // With more members than zones, a shard has one in every zone before it has two in any.
  const everywhere = replicas >= zoneCount;
  const base = (from: number, to: number) => (everywhere && from !== to ? 1 : 0);
  const perPair = everywhere ? membersPerZone(problem) - 1 : 1;
  const zoneMasters = sumByZone(problem, masters);
  const network = new FlowNetwork(1 + hosts.length + zoneCount * zoneCount + zoneCount);
  const pairVertex = (from: number, to: number) => 1 + hosts.length + from * zoneCount + to;
  const zoneVertex = (zone: number) => 1 + hosts.length + zoneCount * zoneCount + zone;
  for (let from = 0; from < zoneCount; from += 1) {
    for (let to = 0; to < zoneCount; to += 1) {
      const room = everywhere ? Number.POSITIVE_INFINITY : limit - (zoneMasters[to] ?? 0);
      network.addArc(pairVertex(from, to), zoneVertex(to), Math.max(0, room));
    }
  }
  const extra = everywhere ? replicas - (zoneCount - 1) : replicas;
  const arcs = hosts.map((host, index) => {
    const count = masters[index] ?? 0;
    network.addArc(0, 1 + index, count * extra);
    return rotation(zoneCount, host.zone).map((zone) => {
      const room = zone === host.zone && !everywhere ? 0 : count * perPair;
      const arc = network.addArc(1 + index, pairVertex(host.zone, zone), room);
      return { zone, arc, fixed: count * base(host.zone, zone) };
    });
  });
  const fixedTo = (zone: number) =>
    zoneMasters.reduce((sum, count, from) => sum + count * base(from, zone), 0);
  const fixed = Array.from({ length: zoneCount }, (_, zone) => fixedTo(zone));
  const filled = fillEvenly(setting, (host) => {
    const zone = hosts[host]?.zone ?? 0;
    if ((fixed[zone] ?? 0) === 0) return network.pushUnit(0, zoneVertex(zone));
    fixed[zone] = (fixed[zone] ?? 0) - 1;
    return true;
  });
  if (!filled) return undefined;
  return arcs.flatMap((list, host) =>
    list.map(({ zone, arc, fixed: units }) => ({
      host,
      zone,
      supply: units + network.flowOf(arc),
    })),
  );
}

/** For each host, to which hosts the replicas of its masters go, zone after zone. */
function spreadOverHosts(
  setting: Setting,
  rows: readonly Row[],
  limit: number,
): number[][] | undefined {
  const { problem, masters } = setting;
  const { hosts } = problem;
  const network = new FlowNetwork(1 + rows.length + hosts.length);
  const order = hosts.map((_, host) => rotation(hosts.length, host + 1));
  const arcs = rows.map((row, index) => {
    if (row.supply === 0) return [];
    network.addArc(0, 1 + index, row.supply);
    const count = masters[row.host] ?? 0;
    return (order[row.host] ?? [])
      .filter((to) => hosts[to]?.zone === row.zone && to !== row.host)
      .filter((to) => (masters[to] ?? 0) < limit)
      .map((to) => {
        const room = Math.min(count, limit - (masters[to] ?? 0));
        return { to, arc: network.addArc(1 + index, 1 + rows.length + to, room) };
      });
  });
  const filled = fillEvenly(setting, (host) => network.pushUnit(0, 1 + rows.length + host));
  if (!filled) return undefined;
  const replicas: number[][] = hosts.map(() => []);
  for (const [index, list] of arcs.entries()) {
    for (const { to, arc } of list) {
      const units = Array.from({ length: network.flowOf(arc) }, () => to);
      replicas[rows[index]?.host ?? 0]?.push(...units);
    }
  }
  return replicas;
}

/** Gives each next replica to the host with the fewest nodes that `push` still reaches. */
function fillEvenly(setting: Setting, push: (host: number) => boolean): boolean {
  const { bounds, masters, problem } = setting;
  const nodes = [...masters];
  const open = new Set(nodes.keys());
  for (let left = problem.shards.length * problem.replicas; left > 0;) {
    let best = -1;
    for (const host of open) {
      if ((nodes[host] ?? 0) >= (bounds[host]?.nodes.max ?? 0)) open.delete(host);
      else if (best < 0 || (nodes[host] ?? 0) < (nodes[best] ?? 0)) best = host;
    }
    if (best < 0) return false;
    if (push(best)) {
      nodes[best] = (nodes[best] ?? 0) + 1;
      left -= 1;
    } else {
      open.delete(best);
    }
  }
  return true;
}

/**
 * Deals the replicas of a host's masters to these in turn. Units for one host stand together and
 * are not more than its masters, so no shard gets two of them; the same holds for zones.
 */
function dealOut(setting: Setting, replicas: readonly number[][]): Assignment {
  return setting.masters.flatMap((count, master) => {
    const shards = Array.from({ length: count }, () => ({ master, replicas: [] as number[] }));
    for (const [index, host] of (replicas[master] ?? []).entries()) {
      shards[index % count]?.replicas.push(host);
    }
    return shards;
  });
}

function sumByZone(problem: PlacementProblem, counts: readonly number[]): number[] {
  const sums = Array.from({ length: problem.zoneCount }, () => 0);
  for (const [index, host] of problem.hosts.entries()) {
    sums[host.zone] = (sums[host.zone] ?? 0) + (counts[index] ?? 0);
  }
  return sums;
}

/** 0 to `count` − 1, starting with `first`: neighbours take one another's replicas. */
function rotation(count: number, first: number): number[] {
  return Array.from({ length: count }, (_, index) => (first + index) % count);
}
