/** Which replicas stay where a cluster gets fewer of them. */
import type { LayoutNode } from '../../model/layout.ts';
import { compareScores, type Score } from '../score.ts';
import type { Kept, ScaleRequest } from './scale-request.ts';
import { scoreKept } from './score-kept.ts';

/** Choices of all shards together that are all compared; with more, one shard is changed at a time. */
const MAX_CHOICES = 3000;

/** Each round changes the choice of every shard at most once, and ends when none gets better. */
const MAX_ROUNDS = 10;

type Choice = readonly LayoutNode[];

/**
 * Masters stay. A shard keeps a member that runs while hosts are drained; replicas on hosts that
 * are lost go first; then those go without which the cluster stands a loss best.
 */
export function keepReplicas(request: ScaleRequest, kept: Kept): Kept {
  const choices = kept.shards.map(({ id }) => {
    const replicas = kept.nodes.filter(
      (node) => node.shard === id && node.preferredRole === 'replica',
    );
    return subsets(replicas, Math.min(replicas.length, request.spec.replicas));
  });
  const total = choices.reduce((product, of) => product * of.length, 1);
  const best =
    total <= MAX_CHOICES ? tryAll(request, kept, choices) : improve(request, kept, choices);
  return withReplicas(kept, best);
}

function tryAll(
  request: ScaleRequest,
  kept: Kept,
  choices: readonly (readonly Choice[])[],
): readonly Choice[] {
  let best: readonly Choice[] = [];
  let bestScore: Score | undefined;
  const visit = (chosen: readonly Choice[]): void => {
    const of = choices[chosen.length];
    if (of !== undefined) {
      for (const choice of of) visit([...chosen, choice]);
      return;
    }
    const score = scoreOf(request, kept, chosen);
    if (bestScore !== undefined && compareLists(score, bestScore) >= 0) return;
    best = chosen;
    bestScore = score;
  };
  visit([]);
  return best;
}

function improve(
  request: ScaleRequest,
  kept: Kept,
  choices: readonly (readonly Choice[])[],
): readonly Choice[] {
  let best = choices.map(([first = []]) => first);
  let bestScore = scoreOf(request, kept, best);
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    let improved = false;
    for (const [shard, of] of choices.entries()) {
      for (const choice of of) {
        const other = best.with(shard, choice);
        const score = scoreOf(request, kept, other);
        if (compareLists(score, bestScore) >= 0) continue;
        best = other;
        bestScore = score;
        improved = true;
      }
    }
    if (!improved) break;
  }
  return best;
}

/** The weightiest first; smaller is better. */
function scoreOf(request: ScaleRequest, kept: Kept, chosen: readonly Choice[]): number[] {
  const next = withReplicas(kept, chosen);
  const statuses = new Map(request.hosts.map(({ name, status }) => [name, status]));
  const drained = new Set(request.current.drainedHosts);
  const stopped = next.shards.filter(({ id }) =>
    next.nodes.every((node) => node.shard !== id || drained.has(node.host)),
  );
  const lost = next.nodes.filter(({ host }) => (statuses.get(host) ?? 'lost') === 'lost');
  return [stopped.length, lost.length, ...scoreKept(request, next)];
}

function withReplicas({ shards, nodes }: Kept, chosen: readonly Choice[]): Kept {
  const staying = new Set(chosen.flat());
  return {
    shards,
    nodes: nodes.filter((node) => node.preferredRole === 'master' || staying.has(node)),
  };
}

function compareLists(a: Score, b: Score): number {
  const [stoppedA = 0, lostA = 0, ...restA] = a;
  const [stoppedB = 0, lostB = 0, ...restB] = b;
  return stoppedA - stoppedB || lostA - lostB || compareScores(restA, restB);
}

function subsets<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]];
  return items.flatMap((item, index) =>
    subsets(items.slice(index + 1), size - 1).map((rest) => [item, ...rest]),
  );
}
