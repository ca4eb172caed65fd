/** The layout in force with slots elsewhere, and what is to be said of the way there. */
import type { Finding } from '../../model/finding.ts';
import type { Layout } from '../../model/layout.ts';
import { countSlots, sameSlots } from '../../model/slots.ts';
import { whereSlotsAre } from '../scale/next-slots.ts';
import { ownersOf, type SlotsByShard } from '../slots/slot-owners.ts';
import {
  drafted,
  info,
  plural,
  type ReshardDraft,
  type ReshardRequest,
} from './reshard-request.ts';

/**
 * The layout itself when every slot is where this would put it. A layout with the same slots is a next one
 * all the same while some are elsewhere: whoever asks for them to be there means it.
 */
export function withSlots(
  request: ReshardRequest,
  slots: SlotsByShard,
  findings: readonly Finding[],
): ReshardDraft {
  const { layout } = request;
  const shards = layout.shards.map(({ id }) => ({ id, slots: slots[id] ?? [] }));
  const same = layout.shards.every((shard, index) =>
    sameSlots(shard.slots, shards[index]?.slots ?? []),
  );
  const planned = { ...layout, shards };
  const next = same && countMoves(request, planned).size === 0 ? layout : planned;
  return drafted(next, [...findings, ...tellMoves(request, next), ...tellEmpty(request, next)]);
}

/** How many slots change hands by each pair of shards. */
export function countMoves(
  { layout, ownedSlots }: Pick<ReshardRequest, 'layout' | 'ownedSlots'>,
  next: Layout,
): Map<string, number> {
  const from = ownersOf(whereSlotsAre(layout, ownedSlots));
  const to = ownersOf(Object.fromEntries(next.shards.map(({ id, slots }) => [id, slots])));
  const moves = new Map<string, number>();
  for (const [slot, owner] of from.entries()) {
    if (owner === undefined || to[slot] === undefined || to[slot] === owner) continue;
    const pair = `${owner} to ${to[slot]}`;
    moves.set(pair, (moves.get(pair) ?? 0) + 1);
  }
  return moves;
}

function tellMoves(request: ReshardRequest, next: Layout): Finding[] {
  const { layout } = request;
  const moves = countMoves(request, next);
  const count = [...moves.values()].reduce((sum, slots) => sum + slots, 0);
  const evidence = [...moves].map(([pair, slots]) => `${slots} from ${pair}`);
  if (next !== layout) {
    const message = `${plural(count, 'slot')} will be moved.`;
    return [info({ rule: 'slots-move', subject: layout.cluster, message, evidence, remedy: '' })];
  }
  return [
    info({
      rule: 'nothing-to-do',
      subject: layout.cluster,
      message: 'All slots are where this would put them.',
      evidence,
      remedy: '',
    }),
  ];
}

/** Told once, when a shard loses its last slot. */
function tellEmpty({ layout }: ReshardRequest, next: Layout): Finding[] {
  const before = new Map(layout.shards.map(({ id, slots }) => [id, countSlots(slots)]));
  const empty = next.shards.filter(
    ({ id, slots }) => countSlots(slots) === 0 && (before.get(id) ?? 0) > 0,
  );
  return empty.map(({ id }) => ({
    rule: 'shard-without-slots',
    severity: 'warning' as const,
    subject: id,
    message: `Shard ${id} will have no slots: it serves nothing, and its master has no vote.`,
    evidence: [],
    remedy:
      `To remove it afterwards: redrover cluster scale ${layout.cluster} --shards ` +
      `${layout.shards.length - 1}`,
  }));
}
