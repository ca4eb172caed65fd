/**
 * Goes through all assignments of a small problem, leaving out branches that cannot beat the best
 * one so far: finds the optimum, or proves that there is no assignment.
 */
import type {
  Assignment,
  PlacementProblem,
  ProblemShard,
  ShardPlaces,
} from './placement-problem.ts';
import { knownMembers } from './placement-problem.ts';
import { Seats } from './seats.ts';
import type { Score } from './score.ts';
import { compareScores } from './score.ts';
import { Tally } from './tally.ts';

/** Choices tried: about a third of a second. */
const MAX_TRIES = 200_000;

/** Above these, the search has no hope to end within its bound. */
const MAX_NODES = 24;
const MAX_CHOICES = 3000;

export interface SearchResult {
  /** The best that is known, `start` included; undefined when none is. */
  readonly best: Assignment | undefined;
  /** Whether everything was looked at, so that nothing better exists. */
  readonly complete: boolean;
}

/** `start` is an assignment without broken rules, if one is known. */
export function searchExactly(
  problem: PlacementProblem,
  start: { readonly assignment: Assignment; readonly score: Score } | undefined,
  bound: Score,
): SearchResult {
  if (isLarge(problem)) return { best: start?.assignment, complete: false };
  const search = new Search(problem, bound);
  search.best = start?.assignment;
  search.bestScore = start?.score;
  search.visit(0);
  return { best: search.best, complete: search.tries < MAX_TRIES || search.atBound() };
}

function isLarge(problem: PlacementProblem): boolean {
  if (problem.shards.length * (1 + problem.replicas) > MAX_NODES) return true;
  // Hosts for the master × multisets of hosts for the replicas.
  let choices = problem.hosts.length;
  for (let index = 0; index < problem.replicas; index += 1) {
    choices = (choices * (problem.hosts.length + index)) / (index + 1);
  }
  return choices > MAX_CHOICES;
}

class Search {
  best: Assignment | undefined;
  bestScore: Score | undefined;
  tries = 0;
  readonly #bound: Score;
  readonly #tally: Tally;
  readonly #seats: Seats;
  readonly #order: readonly number[];
  readonly #choices: readonly (readonly Choice[])[];
  readonly #chosen: (Choice | undefined)[];

  constructor(problem: PlacementProblem, bound: Score) {
    this.#bound = bound;
    this.#tally = new Tally(problem);
    this.#seats = new Seats(problem);
    const known = (index: number) => knownMembers(problem.shards[index] ?? NO_SHARD);
    this.#order = [...problem.shards.keys()].sort((a, b) => known(b) - known(a) || a - b);
    this.#choices = problem.shards.map((shard) => choicesOf(problem, shard));
    this.#chosen = problem.shards.map(() => undefined);
  }

  atBound(): boolean {
    return this.bestScore !== undefined && compareScores(this.bestScore, this.#bound) <= 0;
  }

  /** `depth` shards are chosen; choices of shards that are alike are taken in rising order only. */
  visit(depth: number): void {
    if (this.atBound()) return;
    const index = this.#order[depth];
    if (index === undefined) {
      this.#keep();
      return;
    }
    const previous = this.#chosen[this.#order[depth - 1] ?? -1];
    for (const choice of this.#choices[index] ?? []) {
      if (choice.free && previous?.free === true && choice.rank < previous.rank) continue;
      if (this.tries >= MAX_TRIES) return;
      this.tries += 1;
      this.#take(choice, 1);
      this.#chosen[index] = choice;
      if (this.#isOpen(choice)) this.visit(depth + 1);
      this.#take(choice, -1);
    }
    this.#chosen[index] = undefined;
  }

  #take(choice: Choice, sign: 1 | -1): void {
    if (sign === 1) this.#tally.add(choice.places);
    else this.#tally.remove(choice.places);
    if (choice.masterSeat !== undefined) this.#seats.takeMaster(choice.masterSeat, sign);
    for (const host of choice.replicaSeats) this.#seats.takeReplica(host, sign);
  }

  /**
   * No measure shrinks when shards are added, so a partial score bounds all that follow. The bound
   * of a measure holds only as long as all before it are at theirs.
   */
  #isOpen(choice: Choice): boolean {
    const used = [choice.masterSeat ?? [], choice.replicaSeats].flat();
    if (used.some((host) => this.#seats.isOverfull(host))) return false;
    const score = this.#tally.score();
    if ((score[0] ?? 0) > 0) return false;
    const worse = score.findIndex((value, index) => value > (this.#bound[index] ?? 0));
    const least = score.map((value, index) =>
      worse >= 0 && index > worse ? value : Math.max(value, this.#bound[index] ?? 0),
    );
    return this.bestScore === undefined || compareScores(least, this.bestScore) < 0;
  }

  #keep(): void {
    if (!this.#seats.areFilled()) return;
    this.best = this.#chosen.flatMap((choice) => choice?.places ?? []);
    this.bestScore = this.#tally.score();
  }
}

/** One way to place a shard, and the seats that it takes. */
interface Choice {
  readonly places: ShardPlaces;
  readonly masterSeat: number | undefined;
  readonly replicaSeats: readonly number[];
  /** Orders the choices of shards without fixed members. */
  readonly rank: number;
  readonly free: boolean;
}

const NO_SHARD: ProblemShard = { master: undefined, replicas: [], undecided: [] };

function choicesOf(problem: PlacementProblem, shard: ProblemShard): Choice[] {
  const hosts = [...problem.hosts.keys()];
  const missing = 1 + problem.replicas - knownMembers(shard);
  const free = knownMembers(shard) === 0;
  const choices: Omit<Choice, 'rank' | 'free'>[] = [];
  const addAll = (master: number, masterSeat: number | undefined, replicas: readonly number[]) => {
    const seats = missing - (masterSeat === undefined ? 0 : 1);
    for (const replicaSeats of combinations(hosts, seats)) {
      const places = { master, replicas: [...replicas, ...replicaSeats] };
      choices.push({ places, masterSeat, replicaSeats });
    }
  };
  if (shard.master !== undefined) {
    addAll(shard.master, undefined, [...shard.replicas, ...shard.undecided]);
  } else {
    for (const [index, master] of shard.undecided.entries()) {
      if (shard.undecided.indexOf(master) !== index) continue;
      addAll(master, undefined, [...shard.replicas, ...shard.undecided.toSpliced(index, 1)]);
    }
    const open = [...shard.replicas, ...shard.undecided];
    if (missing > 0) for (const master of hosts) addAll(master, master, open);
  }
  return choices.map((choice, rank) => ({ ...choice, rank, free }));
}

/** All multisets of `size` items, in rising order of their positions. */
function combinations(items: readonly number[], size: number): number[][] {
  if (size === 0) return [[]];
  return items.flatMap((item, index) =>
    combinations(items.slice(index), size - 1).map((rest) => [item, ...rest]),
  );
}
