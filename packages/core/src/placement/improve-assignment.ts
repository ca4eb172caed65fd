/**
 * Moves and exchanges members of an assignment as long as one such change makes it better, tried in
 * a fixed order, so that the same input gives the same output. What is fixed stays.
 */
import type { Assignment, PlacementProblem, ShardPlaces } from './placement-problem.ts';
import { Seats } from './seats.ts';
import type { Score } from './score.ts';
import { compareScores } from './score.ts';
import { Tally } from './tally.ts';

/** Exchanges tried × hosts, as each costs time for every host: about a tenth of a second. */
const MAX_WORK = 1_000_000;

/** One member of one shard: −1 names the master, else the index of a replica. */
interface Member {
  readonly shard: number;
  readonly index: number;
}

/** Stops as soon as the score is `bound`, which nothing can beat. */
export function improveAssignment(
  problem: PlacementProblem,
  start: Assignment,
  bound: Score,
): Assignment {
  const search = new Exchange(problem, start);
  while (compareScores(search.score, bound) > 0 && search.tries < search.maxTries) {
    if (!search.improveOnce()) break;
  }
  return search.places;
}

class Exchange {
  places: ShardPlaces[];
  score: Score;
  tries = 0;
  readonly maxTries: number;
  readonly #problem: PlacementProblem;
  readonly #tally: Tally;
  readonly #members: readonly Member[];

  constructor(problem: PlacementProblem, start: Assignment) {
    this.#problem = problem;
    this.maxTries = MAX_WORK / problem.hosts.length;
    this.places = [...start];
    this.#tally = new Tally(problem);
    for (const places of start) this.#tally.add(places);
    this.score = this.#tally.score();
    this.#members = start.flatMap((places, shard) =>
      [-1, ...places.replicas.keys()].map((index) => ({ shard, index })),
    );
  }

  improveOnce(): boolean {
    for (const [at, member] of this.#members.entries()) {
      if (this.#improveByMoving(member)) return true;
      for (const other of this.#members.slice(at + 1)) {
        if (this.tries >= this.maxTries) return false;
        if (this.#improveBySwapping(member, other)) return true;
      }
    }
    return false;
  }

  #improveByMoving(member: Member): boolean {
    const current = this.#hostOf(member);
    return [...this.#problem.hosts.keys()].some(
      (host) => host !== current && this.#accept([[member, host]]),
    );
  }

  #improveBySwapping(member: Member, other: Member): boolean {
    const [here, there] = [this.#hostOf(member), this.#hostOf(other)];
    if (here === there) return false;
    return this.#accept([
      [member, there],
      [other, here],
    ]);
  }

  #accept(changes: readonly (readonly [Member, number])[]): boolean {
    this.tries += 1;
    const before = new Map(changes.map(([{ shard }]) => [shard, this.places[shard]]));
    const after = new Map(before);
    for (const [{ shard, index }, host] of changes) {
      after.set(shard, withHost(after.get(shard), index, host));
    }
    this.#replace(before, after);
    const score = this.#tally.score();
    if (compareScores(score, this.score) < 0 && isAllowed(this.#problem, this.places)) {
      this.score = score;
      return true;
    }
    this.#replace(after, before);
    return false;
  }

  #replace(
    from: ReadonlyMap<number, ShardPlaces | undefined>,
    to: ReadonlyMap<number, ShardPlaces | undefined>,
  ): void {
    for (const places of from.values()) if (places !== undefined) this.#tally.remove(places);
    for (const [shard, places] of to) {
      if (places === undefined) continue;
      this.#tally.add(places);
      this.places[shard] = places;
    }
  }

  #hostOf({ shard, index }: Member): number {
    const places = this.places[shard];
    return (index < 0 ? places?.master : places?.replicas[index]) ?? -1;
  }
}

function withHost(places: ShardPlaces | undefined, index: number, host: number): ShardPlaces {
  if (places === undefined) return { master: host, replicas: [] };
  if (index < 0) return { ...places, master: host };
  return { ...places, replicas: places.replicas.with(index, host) };
}

/** Whether every fixed member is where it was fixed, and the seats are taken as they must be. */
export function isAllowed(problem: PlacementProblem, assignment: Assignment): boolean {
  const seats = new Seats(problem);
  for (const [index, places] of assignment.entries()) {
    const shard = problem.shards[index];
    if (shard === undefined) return false;
    const replicas = [...places.replicas];
    if (shard.master !== undefined && places.master !== shard.master) return false;
    if (!shard.replicas.every((host) => removeOne(replicas, host))) return false;
    const undecided = [...shard.undecided];
    // An open node of the shard on the master's host is the master.
    const promoted = shard.master === undefined && removeOne(undecided, places.master);
    if (!undecided.every((host) => removeOne(replicas, host))) return false;
    if (shard.master === undefined && !promoted) seats.takeMaster(places.master);
    for (const host of replicas) seats.takeReplica(host);
  }
  return seats.areFilled();
}

function removeOne(list: number[], item: number): boolean {
  const index = list.indexOf(item);
  if (index < 0) return false;
  list.splice(index, 1);
  return true;
}
