/**
 * Which shards and replicas go where a cluster gets smaller, the best choice first: one by which
 * the rules hold without anything else being changed, then one that moves the fewest slots, then
 * the one that stands a loss best, then the one by which the newest go.
 */
import type { LayoutNode, LayoutShard } from '../../model/layout.ts';
import { rearrangeRoles } from '../host-change/rearrange-roles.ts';
import { compareSafety, compareScores, type Score } from '../score.ts';
import { countByOwner, ownersOf } from '../slots/slot-owners.ts';
import { fewestSlotsMoved } from '../slots/slot-shares.ts';
import { keepReplicas } from './keep-replicas.ts';
import { scaledWeights, whereSlotsAre } from './next-slots.ts';
import { replicasOf, type Kept, type ScaleRequest } from './scale-request.ts';
import { KeptTally, scoreKept } from './score-kept.ts';

/** More choices than these are not all compared: then shards go one after the other. */
const MAX_CHOICES = 3000;

/** As many of the best as are worth trying with other roles and places. */
const MAX_KEPT = 24;

/** At least one; a cluster that does not get smaller is kept as a whole. */
export function chooseKept(request: ScaleRequest): Kept[] {
  const { current, spec } = request;
  return chooseShards(request).flatMap((shards) => {
    const ids = new Set(idsOf(shards));
    const kept = { shards, nodes: current.nodes.filter((node) => ids.has(node.shard)) };
    return spec.replicas < replicasOf(current) ? keepReplicas(request, kept) : [kept];
  });
}

/**
 * The same with other masters, where shards lose replicas as well: which of these stay depends on
 * which of them have to become masters. Roles differ from those of the layout in force.
 */
export function chooseKeptWithOtherRoles(request: ScaleRequest): Kept[] {
  const { current, spec, hosts } = request;
  const { allowWeakQuorum } = spec.placement;
  if (spec.replicas >= replicasOf(current) || spec.shards > current.shards.length) return [];
  if (allowWeakQuorum) return [];
  return chooseShards(request).flatMap((shards) => {
    const ids = new Set(idsOf(shards));
    const nodes = current.nodes.filter((node) => ids.has(node.shard));
    const { zoneLabel } = spec.placement;
    const changed = rearrangeRoles({ ...current, shards, nodes, zoneLabel }, hosts);
    return changed === undefined ? [] : keepReplicas(request, { shards, nodes: changed.nodes });
  });
}

type Shards = readonly LayoutShard[];

function chooseShards(request: ScaleRequest): Shards[] {
  const { current } = request;
  const { shards } = current;
  const leaving = shards.length - request.spec.shards;
  if (leaving <= 0) return [shards];
  if (countChoices(shards.length, leaving) > MAX_CHOICES) return [chooseOneByOne(request)];
  const members = membersByShard(request);
  const counts = countPresent(request);
  const choices = combinations(shards, request.spec.shards).map((staying) => {
    const nodes = staying.flatMap(({ id }) => members.get(id) ?? []);
    const moved = fewestSlotsMoved(scaledWeights(current, idsOf(staying)), counts);
    return { staying, moved, score: scoreKept(request, { shards: staying, nodes }) };
  });
  return rank(request, choices).slice(0, MAX_KEPT);
}

/** Each time the shard without which the rest is best. */
function chooseOneByOne(request: ScaleRequest): Shards {
  const { current, spec } = request;
  const members = membersByShard(request);
  const counts = countPresent(request);
  const size = { nodes: [], shards: current.shards.length, replicas: replicasOf(current) };
  const tally = new KeptTally(request, size);
  for (const { id } of current.shards) tally.add(members.get(id) ?? []);
  let staying: Shards = current.shards;
  while (staying.length > spec.shards) {
    const choices = staying.map((shard) => {
      const own = members.get(shard.id) ?? [];
      tally.remove(own);
      const score = tally.score();
      tally.add(own);
      const moved = counts.get(shard.id) ?? 0;
      return { staying: staying.filter((other) => other !== shard), moved, score };
    });
    const before = staying;
    staying = rank(request, choices)[0] ?? staying;
    const gone = before.find((shard) => !staying.includes(shard));
    tally.remove(members.get(gone?.id ?? '') ?? []);
  }
  return staying;
}

interface Choice {
  readonly staying: Shards;
  /** Slots. */
  readonly moved: number;
  readonly score: Score;
}

function rank({ current }: ScaleRequest, choices: readonly Choice[]): Shards[] {
  // Even shares differ by one slot: that is no reason to prefer a shard over another.
  const grain = current.shards.length;
  const ages = new Map(current.shards.map((shard, index) => [shard, index]));
  const broken = (score: Score) => score[0] ?? 0;
  return choices
    .map(({ staying, moved, score }) => {
      const age = staying.reduce((sum, shard) => sum + (ages.get(shard) ?? 0), 0);
      return { staying, moved: Math.round(moved / grain), score, age };
    })
    .sort(
      (a, b) =>
        broken(a.score) - broken(b.score) ||
        a.moved - b.moved ||
        compareSafety(a.score, b.score) ||
        a.age - b.age ||
        compareScores(a.score, b.score),
    )
    .map(({ staying }) => staying);
}

function countPresent({ current, ownedSlots }: ScaleRequest): ReadonlyMap<string, number> {
  return countByOwner(ownersOf(whereSlotsAre(current, ownedSlots)));
}

function idsOf(shards: Shards): string[] {
  return shards.map(({ id }) => id);
}

function membersByShard({ current }: ScaleRequest): ReadonlyMap<string, readonly LayoutNode[]> {
  return Map.groupBy(current.nodes, (node) => node.shard);
}

function countChoices(of: number, chosen: number): number {
  let count = 1;
  for (let index = 0; index < chosen; index += 1) count = (count * (of - index)) / (index + 1);
  return count;
}

/** All choices of `size` items, in their order. */
function combinations<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]];
  // After a later one there are too few left: looking at those would take 2 ** items.length steps.
  return items
    .slice(0, items.length - size + 1)
    .flatMap((item, index) =>
      combinations(items.slice(index + 1), size - 1).map((rest) => [item, ...rest]),
    );
}
