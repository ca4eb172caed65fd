/**
 * Neither end owns the slot: the source gave it up to the target, which has forgotten (a power cut with an unsaved
 * nodes.conf), or died before its successor had heard. The target takes it again, if nobody else can have it.
 */
import { disputed } from './dispute.ts';
import { isOfTarget } from './finalise-rules.ts';
import type { SlotPicture, SlotRule } from './slot-rule.ts';

/** What stands before NODE then is the same as the first time. */
export const RECLAIM_RULES: readonly SlotRule[] = [
  {
    name: 'somebody-owns',
    reason:
      'Nobody owns it, and the source does not say that it gave it to this target: a person has to decide.',
    decide: (picture) => {
      const { facts, source, sourceName, targetName } = picture;
      if (!isLost(picture)) return undefined;
      if (!isOfTarget(facts, picture.target.nodeId, source.owner)) {
        return disputed(facts, `neither ${sourceName} nor ${targetName} owns it, nor does another`);
      }
      if (source.keys === 0) return undefined;
      return disputed(facts, `nobody owns it, and ${sourceName} holds ${source.keys} keys of it`);
    },
  },
  {
    name: 'importing-before-reclaiming',
    reason:
      'NODE on a target that is not IMPORTING does not raise its epoch: the views stay split (invariant 1).',
    decide: (picture) =>
      isLost(picture) && picture.target.importingFrom?.standing !== 'end'
        ? { kind: 'setImporting' }
        : undefined,
  },
];

function isLost({ sourceClaims, targetClaims }: SlotPicture): boolean {
  return !sourceClaims && !targetClaims;
}
