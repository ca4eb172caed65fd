/**
 * Places nodes one after the other, each where it does the least harm: a first assignment for
 * problems with pinned nodes, and for free ones that the flow has no answer for. It may break
 * rules; `improve-assignment.ts` and `search-exactly.ts` go on from it.
 */
import type { Assignment, PlacementProblem, ProblemShard } from './placement-problem.ts';
import { knownMembers } from './placement-problem.ts';
import { Seats } from './seats.ts';
import { Tally } from './tally.ts';

interface Draft {
  master: number;
  replicas: number[];
}

/** Undefined when it ends with a seat that should be filled, or a node without a seat. */
export function placeGreedily(problem: PlacementProblem): Assignment | undefined {
  const seats = new Seats(problem);
  const drafts = placeMasters(problem, seats);
  if (drafts === undefined) return undefined;
  const tally = new Tally(problem);
  for (const draft of drafts) tally.add(draft);
  for (let turn = 0; turn < problem.replicas; turn += 1) {
    for (const draft of drafts) {
      if (draft.replicas.length > turn) continue;
      const host = chooseReplicaHost(problem, { seats, tally, draft });
      if (host === undefined) return undefined;
      seats.takeReplica(host);
      tally.remove(draft);
      draft.replicas.push(host);
      tally.add(draft);
    }
  }
  return seats.areFilled() ? drafts : undefined;
}

/** Shards that must find their master among their own nodes choose first. */
function placeMasters(problem: PlacementProblem, seats: Seats): Draft[] | undefined {
  const masters = new Map<number, number>();
  const drafts: (Draft | undefined)[] = problem.shards.map(() => undefined);
  for (const index of mastersOrder(problem)) {
    const shard = problem.shards[index];
    if (shard === undefined) return undefined;
    const master = shard.master ?? chooseMaster(problem, { shard, seats, masters });
    if (master === undefined) return undefined;
    masters.set(master, (masters.get(master) ?? 0) + 1);
    const undecided = [...shard.undecided];
    const own = shard.master === undefined ? undecided.indexOf(master) : -1;
    if (own >= 0) undecided.splice(own, 1);
    else if (shard.master === undefined) seats.takeMaster(master);
    drafts[index] = { master, replicas: [...shard.replicas, ...undecided] };
  }
  return drafts.filter((draft) => draft !== undefined);
}

function mastersOrder(problem: PlacementProblem): number[] {
  const freedom = (index: number) => {
    const shard = problem.shards[index];
    if (shard === undefined || shard.master !== undefined) return 0;
    return isComplete(problem, shard) ? 1 : 2;
  };
  return [...problem.shards.keys()].sort((a, b) => freedom(a) - freedom(b) || a - b);
}

function chooseMaster(
  problem: PlacementProblem,
  context: { shard: ProblemShard; seats: Seats; masters: ReadonlyMap<number, number> },
): number | undefined {
  const { shard, seats, masters } = context;
  const fewest = (a: number, b: number) => (masters.get(a) ?? 0) - (masters.get(b) ?? 0);
  const own = [...shard.undecided].sort(fewest);
  if (isComplete(problem, shard)) return own[0];
  const pool = [...problem.hosts.keys()].filter((host) => seats.hasMasterSeat(host));
  const pinned = pool.filter((host) => seats.missingMasters(host) > 0);
  // A seat that is pinned to a master must find a shard; any open node may become a replica.
  if (pinned.length > 0) return pinned.sort(fewest)[0];
  const apart = pool.filter((host) => !shard.replicas.includes(host));
  return [...own, ...(apart.length > 0 ? apart : pool)].sort(fewest)[0];
}

function chooseReplicaHost(
  problem: PlacementProblem,
  context: { seats: Seats; tally: Tally; draft: Draft },
): number | undefined {
  const { seats, tally, draft } = context;
  const members = [draft.master, ...draft.replicas];
  const zones = members.map((host) => problem.hosts[host]?.zone);
  let best: { host: number; cost: readonly number[] } | undefined;
  for (let step = 1; step <= problem.hosts.length; step += 1) {
    // From the master's neighbour on, as `redis-cli --cluster create` pairs equal hosts.
    const host = (draft.master + step) % problem.hosts.length;
    const zone = problem.hosts[host]?.zone;
    if (!seats.hasReplicaSeat(host)) continue;
    const cost = [
      members.filter((member) => member === host).length,
      problem.zoneCount > 1 ? zones.filter((other) => other === zone).length : 0,
      -Math.max(0, seats.missing(host)),
      tally.hosts.afterLoss(draft.master, host),
      seats.taken(host),
    ];
    if (best === undefined || compareCosts(cost, best.cost) < 0) best = { host, cost };
  }
  return best?.host;
}

function isComplete(problem: PlacementProblem, shard: ProblemShard): boolean {
  return knownMembers(shard) === 1 + problem.replicas;
}

function compareCosts(a: readonly number[], b: readonly number[]): number {
  for (const [index, cost] of a.entries()) {
    const difference = cost - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
