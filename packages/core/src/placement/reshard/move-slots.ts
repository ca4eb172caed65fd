/** Slots that an operator names go to a shard that they name; all others stay. */
import type { Finding } from '../../model/finding.ts';
import type { Reshard } from '../../model/migration.ts';
import {
  countSlots,
  formatRanges,
  normalizeRanges,
  SLOT_COUNT,
  type SlotRange,
} from '../../model/slots.ts';
import { whereSlotsAre } from '../scale/next-slots.ts';
import { ownersOf, slotsByShard } from '../slots/slot-owners.ts';
import { withSlots } from './next-shards.ts';
import {
  info,
  plural,
  refused,
  unknownShard,
  type ReshardDraft,
  type ReshardRequest,
} from './reshard-request.ts';

type MoveSlots = Extract<Reshard, { kind: 'moveSlots' }>;

export function draftMoveSlots(request: ReshardRequest, change: MoveSlots): ReshardDraft {
  const { layout, ownedSlots } = request;
  const { to } = change;
  if (layout.shards.every(({ id }) => id !== to)) return unknownShard(layout, to);
  const mistake = findMistake(request, change);
  if (mistake !== undefined) return mistake;
  const slots = normalizeRanges(change.slots);
  const laidOut = ownersOf(Object.fromEntries(layout.shards.map((each) => [each.id, each.slots])));
  const present = ownersOf(whereSlotsAre(layout, ownedSlots));
  const named = new Set(slots.flatMap(({ start, end }) => range(start, end)));
  const there = [...named].filter((slot) => present[slot] === to && laidOut[slot] === to);
  const owners = laidOut.map((owner, slot) => (named.has(slot) ? to : owner));
  const next = slotsByShard(
    owners,
    layout.shards.map(({ id }) => id),
  );
  const told = there.length > 0 && there.length < named.size ? [tellThere(slots, there, to)] : [];
  return withSlots(request, next, told);
}

function tellThere(slots: readonly SlotRange[], there: readonly number[], to: string): Finding {
  return info({
    rule: 'slots-there-already',
    subject: to,
    message: `${there.length} of the ${plural(countSlots(slots), 'slot')} are at ${to} already.`,
    evidence: [formatRanges(there.map((slot) => ({ start: slot, end: slot })))],
    remedy: '',
  });
}

function findMistake({ layout }: ReshardRequest, change: MoveSlots): ReshardDraft | undefined {
  const { to, slots } = change;
  const isSlot = (slot: number) => Number.isInteger(slot) && slot >= 0 && slot < SLOT_COUNT;
  const invalid = slots.find(({ start, end }) => !isSlot(start) || !isSlot(end) || start > end);
  if (invalid !== undefined || slots.length === 0) {
    const given = invalid === undefined ? 'No slots are' : `${invalid.start}-${invalid.end} is`;
    return refused({
      rule: 'slots-valid',
      subject: layout.cluster,
      message: `${given} not a range of slots that could be moved.`,
      evidence: [],
      remedy: `Name slots from 0 to ${SLOT_COUNT - 1}, for example 0-99,200.`,
    });
  }
  if (layout.nodes.some((node) => node.shard === to)) return undefined;
  return refused({
    rule: 'shard-without-nodes',
    subject: to,
    message: `Shard ${to} has no nodes that could take slots.`,
    evidence: [],
    remedy: 'Name another shard.',
  });
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start + 1 }, (_, index) => start + index);
}
