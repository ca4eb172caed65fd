/**
 * Moves that wait for a person: a node that imports a slot gives nothing away, and one that gives a slot away takes
 * nothing, as long as that slot is open; so what a person has to decide first holds up more than the slot itself.
 */
import type { Finding } from '../../model/finding.ts';
import type { OpenSlot } from '../../model/observation.ts';
import { countSlots, formatRanges } from '../../model/slots.ts';
import { listDueMoves, type DueMove } from './due-moves.ts';
import type { Fleet } from './fleet.ts';
import { listOpenSlots } from './open-slots.ts';
import { listUndecidedSlots } from './undecided-slots.ts';

/** What is open already is gone on with, whatever else is. */
export function isHeld(fleet: Fleet, due: DueMove): boolean {
  return due.open.length === 0 && listHolding(fleet, due).length > 0;
}

export function findHeldMoves(fleet: Fleet): Finding[] {
  if (listUndecidedSlots(fleet).size === 0) return [];
  return listDueMoves(fleet)
    .pairs.filter((due) => isHeld(fleet, due))
    .map((due) => describe(fleet, due));
}

function describe(fleet: Fleet, due: DueMove): Finding {
  const { source, target, slots } = due;
  const holding = [...new Set(listHolding(fleet, due))];
  return {
    rule: 'moves-behind-a-decision',
    severity: 'warning',
    subject: source.node.key,
    message:
      `${countSlots(slots)} slots stay on ${source.node.key} that are to go to ${target.node.key}: ` +
      'a node whose slots are half way one way moves none the other way.',
    evidence: [`to be moved: ${formatRanges(slots)}`, `half way: ${holding.join(' ')}`],
    remedy:
      'Decide about the slots that are half way, then ' +
      `redrover cluster repair ${fleet.layout.cluster}`,
  };
}

/** Slots that a person decides about, and that keep the ends in the other role. */
function listHolding(fleet: Fleet, { source, target }: DueMove): number[] {
  const open: readonly OpenSlot[] = [
    ...(source.self?.importing ?? []),
    ...(target.self?.migrating ?? []),
  ];
  if (open.length === 0) return [];
  const undecided = listUndecidedSlots(fleet);
  // One whose other end is away may be gone on with when that is back.
  const awaited = listOpenSlots(fleet).filter(({ isAwaited }) => isAwaited);
  return open
    .map(({ slot }) => slot)
    .filter((slot) => undecided.has(slot) && !awaited.some((each) => each.slot === slot));
}
