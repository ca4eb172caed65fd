/**
 * The source owns the slot and it shall not move: closed where the target got nothing. A slot of which the target has
 * keys is never closed: they could not be reached any more.
 */
import { bytesText, ceilingText } from '../../model/bytes-text.ts';
import { quarantine } from './dispute.ts';
import { isOfTarget } from './finalise-rules.ts';
import type { SlotPicture, SlotRule } from './slot-rule.ts';

export const UNDO_RULES: readonly SlotRule[] = [
  {
    name: 'large-key-half-way',
    reason: 'A key that would block the source for too long; some of the slot has gone before it.',
    decide: (picture) =>
      picture.sourceClaims && picture.facts.task.oversized !== undefined && picture.target.keys > 0
        ? quarantineLargeKey(picture)
        : undefined,
  },
  {
    name: 'close-target-first',
    reason:
      'While the target imports, a client with ASKING may write a key there that the source would not know of. Closed, ' +
      'it is counted once more: what came at the last moment goes forward.',
    decide: (picture) =>
      shallUndo(picture) && picture.target.importingFrom !== undefined
        ? { kind: 'closeTarget' }
        : undefined,
  },
  {
    name: 'close-source',
    reason: 'Only the source is open, and it owns the slot: nothing of it is at the target.',
    decide: (picture) =>
      shallUndo(picture) && picture.source.migratingTo !== undefined
        ? { kind: 'closeSource' }
        : undefined,
  },
  {
    name: 'large-key',
    reason:
      'A key that would block the source for too long; the slot was closed before anything went.',
    decide: (picture) =>
      shallUndo(picture) && picture.facts.task.oversized !== undefined
        ? quarantineLargeKey(picture)
        : undefined,
  },
  {
    name: 'left-with-source',
    reason: 'Nothing is open, and nothing shall be begun.',
    decide: (picture) => {
      const { facts, source, target, sourceClaims } = picture;
      const isOpen = source.migratingTo !== undefined || target.importingFrom !== undefined;
      if (!sourceClaims || facts.intent !== 'settle' || isOpen) return undefined;
      if (isKnownAsMoved(picture)) return undefined;
      // A late client wrote to the target just before it was closed: the slot is opened again, and goes forward.
      if (target.keys > 0 && facts.task.touched) return undefined;
      return { kind: 'done', moved: false, orphanKeys: target.keys };
    },
  },
];

function shallUndo(picture: SlotPicture): boolean {
  const { facts, sourceClaims, target } = picture;
  const unwanted = facts.intent === 'settle' || facts.task.oversized !== undefined;
  return sourceClaims && unwanted && target.keys === 0 && !isKnownAsMoved(picture);
}

/** Masters that have seen the target own it never take the source for the owner again: its epoch is lower. */
function isKnownAsMoved({ facts, target }: SlotPicture): boolean {
  return facts.witnesses.some(({ said }) => isOfTarget(facts, target.nodeId, said?.owner));
}

function quarantineLargeKey({ facts, source, target, sourceName, targetName }: SlotPicture) {
  const { oversized } = facts.task;
  if (oversized === undefined) return undefined;
  return quarantine(facts, {
    rule: 'key-too-large',
    message:
      `Key ${oversized.key} of slot ${facts.slot} takes ${bytesText(oversized.bytes)}, more than the ` +
      `${bytesText(oversized.maxBytes)} that are moved at once; the slot stays with ${sourceName}.`,
    evidence: [
      `${oversized.key} (${oversized.type}): ${bytesText(oversized.bytes)}; others may be larger`,
      `${sourceName} holds ${source.keys} keys of the slot, ${targetName} ${target.keys}`,
    ],
    remedy:
      'Split or delete the key, then redrover cluster repair NAME; or allow it in a quiet hour: ' +
      `redrover cluster repair NAME --max-key-bytes ${ceilingText(oversized.bytes)}`,
  });
}
