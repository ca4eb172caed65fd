/**
 * Which shards and replicas go where a cluster gets smaller, the best choice first: one by which
 * the rules hold without anything else being changed, then one that moves the fewest slots, then
 * the one that stands a loss best, then the one by which the newest go.
 */
import { countSlots } from '../../model/slots.ts';
import type { LayoutNode, LayoutShard } from '../../model/layout.ts';
import { compareScores, type Score } from '../score.ts';
import { countByOwner, ownersOf } from '../slots/slot-owners.ts';
import { fewestSlotsMoved } from '../slots/slot-shares.ts';
import { keepReplicas } from './keep-replicas.ts';
import { scaledWeights, whereSlotsAre } from './next-slots.ts';
import { replicasOf, type Kept, type ScaleRequest } from './scale-request.ts';
import { scoreKept } from './score-kept.ts';

/** More choices than these are not all compared: then shards go one after the other. */
const MAX_CHOICES = 3000;

/** As many of the best as are worth trying with other roles and places. */
const MAX_KEPT = 12;

/** At least one; a cluster that does not get smaller is kept as a whole. */
export function chooseKept(request: ScaleRequest): Kept[] {
  return rankShards(request).map((shards) => {
    const nodes = request.current.nodes.filter((node) =>
      shards.some(({ id }) => id === node.shard),
    );
    const kept = { shards, nodes };
    return request.spec.replicas < replicasOf(request.current) ? keepReplicas(request, kept) : kept;
  });
}

function rankShards(request: ScaleRequest): (readonly LayoutShard[])[] {
  const { current, spec } = request;
  const leaving = current.shards.length - spec.shards;
  if (leaving <= 0) return [current.shards];
  if (countChoices(current.shards.length, leaving) <= MAX_CHOICES) {
    return rank(request, combinations(current.shards, spec.shards)).slice(0, MAX_KEPT);
  }
  let shards: readonly LayoutShard[] = current.shards;
  for (let left = leaving; left > 0; left -= 1) {
    const choices = shards.map((shard) => shards.filter((other) => other !== shard));
    shards = rank(request, choices)[0] ?? shards;
  }
  return [shards];
}

function rank(
  request: ScaleRequest,
  choices: readonly (readonly LayoutShard[])[],
): (readonly LayoutShard[])[] {
  const { current, ownedSlots } = request;
  const counts = countByOwner(ownersOf(whereSlotsAre(current, ownedSlots)));
  // Even shares differ by one slot: that is no reason to prefer a shard over another.
  const grain = current.shards.length;
  const measured = choices.map((shards) => {
    const ids = shards.map(({ id }) => id);
    const moved = fewestSlotsMoved(scaledWeights(current, ids), counts);
    const nodes = current.nodes.filter((node) => ids.includes(node.shard));
    const score = scoreKept(request, { shards, nodes });
    const age = shards.reduce((sum, shard) => sum + current.shards.indexOf(shard), 0);
    return { shards, moved: Math.round(moved / grain), score, age };
  });
  const broken = (score: Score) => score[0] ?? 0;
  return measured
    .sort(
      (a, b) =>
        broken(a.score) - broken(b.score) ||
        a.moved - b.moved ||
        compareScores(a.score, b.score) ||
        a.age - b.age,
    )
    .map(({ shards }) => shards);
}

/** The shards and replicas that a next layout does not have any more. */
export function findLeaving(
  { current }: ScaleRequest,
  next: { readonly shards: readonly LayoutShard[]; readonly nodes: readonly LayoutNode[] },
): { readonly shards: readonly LayoutShard[]; readonly replicas: readonly LayoutNode[] } {
  const shards = current.shards.filter(({ id }) => !next.shards.some((other) => other.id === id));
  const replicas = current.nodes.filter(
    ({ key, shard }) =>
      !shards.some(({ id }) => id === shard) && !next.nodes.some((node) => node.key === key),
  );
  return { shards, replicas };
}

export function describeSlots({ id, slots }: LayoutShard): string {
  return `${id} with ${countSlots(slots)} slots`;
}

function countChoices(of: number, chosen: number): number {
  let count = 1;
  for (let index = 0; index < chosen; index += 1) count = (count * (of - index)) / (index + 1);
  return count;
}

/** All choices of `size` items, in their order. */
function combinations<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]];
  return items.flatMap((item, index) =>
    combinations(items.slice(index + 1), size - 1).map((rest) => [item, ...rest]),
  );
}
