/** Which replicas stay where a cluster gets fewer of them. */
import type { LayoutNode } from '../../model/layout.ts';
import { compareScores, type Score } from '../score.ts';
import type { Kept, ScaleRequest } from './scale-request.ts';
import { KeptTally } from './score-kept.ts';

/** Choices of all shards together that are all compared; of more, one shard is changed at a time. */
const MAX_CHOICES = 3000;

/** Each round changes the choice of every shard, and the last one finds nothing better. */
const MAX_ROUNDS = 10;

/** All members of a shard that stay. */
type Choice = readonly LayoutNode[];

/** As many of the best as are worth trying, where new shards need room beside them. */
const MAX_KEPT = 48;

/**
 * The best first. Masters stay. A shard keeps a member that runs while hosts are drained; replicas
 * on hosts that are lost go first; then those go without which the cluster stands a loss best.
 */
export function keepReplicas(request: ScaleRequest, kept: Kept): Kept[] {
  const members = Map.groupBy(kept.nodes, (node) => node.shard);
  const choices = kept.shards.map(({ id }) => choicesOf(request, members.get(id) ?? []));
  const total = choices.reduce((product, of) => product * of.length, 1);
  const { replicas } = request.spec;
  const size = { nodes: kept.nodes, shards: kept.shards.length, replicas };
  const tally = new KeptTally(request, size);
  const best = total <= MAX_CHOICES ? rankAll(tally, choices) : [improve(tally, choices)];
  const isWorthIt = request.spec.shards > request.current.shards.length;
  return best.slice(0, isWorthIt ? MAX_KEPT : 1).map((chosen) => {
    const staying = new Set(chosen.flat());
    return { shards: kept.shards, nodes: kept.nodes.filter((node) => staying.has(node)) };
  });
}

/** Only the best by what can be said of a shard alone: at least one. */
function choicesOf({ spec, hosts, current }: ScaleRequest, members: Choice): readonly Choice[] {
  const statuses = new Map(hosts.map(({ name, status }) => [name, status]));
  const isLost = ({ host }: LayoutNode) => (statuses.get(host) ?? 'lost') === 'lost';
  const isStopped = ({ host }: LayoutNode) => current.drainedHosts.includes(host);
  const replicas = members.filter((node) => node.preferredRole === 'replica');
  const measured = subsets(replicas, Math.min(replicas.length, spec.replicas)).map((chosen) => {
    const staying = members.filter(
      (node) => node.preferredRole === 'master' || chosen.includes(node),
    );
    const stopped = Number(staying.every((node) => isStopped(node)));
    return { staying, cost: stopped * members.length + chosen.filter(isLost).length };
  });
  const least = Math.min(...measured.map(({ cost }) => cost));
  return measured.filter(({ cost }) => cost === least).map(({ staying }) => staying);
}

function rankAll(tally: KeptTally, choices: readonly (readonly Choice[])[]): (readonly Choice[])[] {
  const ranked: { readonly chosen: readonly Choice[]; readonly score: Score }[] = [];
  const visit = (chosen: readonly Choice[]): void => {
    for (const choice of choices[chosen.length] ?? []) {
      const all = [...chosen, choice];
      if (all.length === choices.length) {
        ranked.push({ chosen: all, score: tally.scoreWith(choice) });
        continue;
      }
      tally.add(choice);
      visit(all);
      tally.remove(choice);
    }
  };
  visit([]);
  return ranked.sort((a, b) => compareScores(a.score, b.score)).map(({ chosen }) => chosen);
}

function improve(tally: KeptTally, choices: readonly (readonly Choice[])[]): readonly Choice[] {
  const best = choices.map(([first = []]) => first);
  for (const choice of best) tally.add(choice);
  for (let round = 0, improved = true; improved && round < MAX_ROUNDS; round += 1) {
    improved = false;
    for (const [shard, of] of choices.entries()) {
      const now = best[shard] ?? [];
      tally.remove(now);
      const scored = of.map((choice) => ({ choice, score: tally.scoreWith(choice) }));
      const start = { choice: now, score: tally.scoreWith(now) };
      const { choice } = scored.reduce(
        (a, b) => (compareScores(b.score, a.score) < 0 ? b : a),
        start,
      );
      tally.add(choice);
      best[shard] = choice;
      improved ||= choice !== now;
    }
  }
  return best;
}

function subsets<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]];
  return items.flatMap((item, index) =>
    subsets(items.slice(index + 1), size - 1).map((rest) => [item, ...rest]),
  );
}
