/**
 * Finds the best assignment: by flow where nodes are equal and free, else step by step, then
 * improved, and searched through where the problem is small; says how near to the optimum it is.
 */
import { improveAssignment } from './improve-assignment.ts';
import { lowerBound } from './lower-bound.ts';
import type { FlowPlacement } from './place-by-flow.ts';
import { placeByFlow } from './place-by-flow.ts';
import { placeGreedily } from './place-greedily.ts';
import type { Assignment, PlacementProblem } from './placement-problem.ts';
import { isFree } from './placement-problem.ts';
import type { Score } from './score.ts';
import { compareScores } from './score.ts';
import { searchExactly } from './search-exactly.ts';
import { scoreOf } from './tally.ts';

export type PlacementSolution =
  | {
      readonly ok: true;
      readonly assignment: Assignment;
      readonly score: Score;
      /** No assignment has a better score than this. */
      readonly bound: Score;
      /** Whether `score` is proved to be the best. */
      readonly optimal: boolean;
    }
  | {
      readonly ok: false;
      /** The nearest that was found, with rules broken; undefined when nothing fits at all. */
      readonly nearest: Assignment | undefined;
      /** Whether it is proved that there is no assignment. */
      readonly proved: boolean;
    };

export function solvePlacement(problem: PlacementProblem): PlacementSolution {
  const bound = lowerBound(problem);
  const free = isFree(problem);
  if (bound === undefined) {
    // Counting proves it; of pinned nodes the nearest still tells which rules they break.
    return { ok: false, nearest: free ? undefined : placeGreedily(problem), proved: true };
  }
  const flow = free ? placeByFlow(problem, bound) : undefined;
  const optimum = flow === undefined ? undefined : provedByFlow(problem, flow, bound);
  if (optimum !== undefined) return optimum;
  const placed = flow?.assignment ?? placeGreedily(problem);
  const nearest = placed === undefined ? undefined : improveAssignment(problem, placed, bound);
  const score = nearest === undefined ? undefined : scoreOf(problem, nearest);
  const start =
    nearest !== undefined && score !== undefined && keepsRules(score)
      ? { assignment: nearest, score }
      : undefined;
  if (start !== undefined && compareScores(start.score, bound) <= 0) {
    return { ok: true, ...start, bound, optimal: true };
  }
  const { best, complete } = searchExactly(problem, start, bound);
  if (best === undefined) return { ok: false, nearest, proved: complete };
  const bestScore = scoreOf(problem, best);
  return {
    ok: true,
    assignment: best,
    score: bestScore,
    bound: complete ? bestScore : bound,
    optimal: complete,
  };
}

/** As `solvePlacement`, in a hundredth of its time: what it does not find may yet exist. */
export function solveRoughly(problem: PlacementProblem): PlacementSolution {
  const bound = lowerBound(problem);
  if (bound === undefined) return { ok: false, nearest: undefined, proved: true };
  const placed = placeGreedily(problem);
  const assignment = placed === undefined ? undefined : improveAssignment(problem, placed, bound);
  const score = assignment === undefined ? undefined : scoreOf(problem, assignment);
  if (assignment === undefined || score === undefined || !keepsRules(score)) {
    return { ok: false, nearest: assignment, proved: false };
  }
  return { ok: true, assignment, score, bound, optimal: compareScores(score, bound) <= 0 };
}

/** The flow gives the best balance of nodes for its masters, when these reach all other bounds. */
function provedByFlow(
  problem: PlacementProblem,
  { assignment, balanced }: FlowPlacement,
  bound: Score,
): PlacementSolution | undefined {
  const score = scoreOf(problem, assignment);
  const others = score.slice(0, -1);
  if (!balanced || compareScores([...others, 0], [...bound.slice(0, -1), 0]) > 0) return undefined;
  return { ok: true, assignment, score, bound: score, optimal: true };
}

function keepsRules(score: Score): boolean {
  return score[0] === 0;
}
