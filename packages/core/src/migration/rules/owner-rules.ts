/** Who owns the slot: one of the ends, or something that this task cannot go on from. */
import { disputed, quarantine } from './dispute.ts';
import { planAnew, type SlotPicture, type SlotRule } from './slot-rule.ts';

export const OWNER_RULES: readonly SlotRule[] = [
  {
    name: 'key-differs',
    reason:
      'Both ends hold a key with different values, as after a promotion that lost MIGRATING: which one ' +
      'is right cannot be told by a machine.',
    decide: ({ facts, sourceName, targetName }) => {
      const { conflict } = facts.task;
      if (conflict === undefined) return undefined;
      return quarantine(facts, {
        rule: 'key-differs',
        message:
          `${sourceName} and ${targetName} hold different values of key ${conflict.key} of slot ` +
          `${facts.slot}; neither was touched.`,
        evidence: conflict.evidence,
        remedy:
          `Read the key on both (on ${targetName} after ASKING), keep the right value on ` +
          `${sourceName}, delete it on ${targetName}, then run the operation again.`,
      });
    },
  },
  {
    name: 'owned-elsewhere',
    reason: 'A third node owns the slot: somebody else has moved it.',
    decide: (picture) => {
      if (picture.sourceClaims || picture.targetClaims) return undefined;
      const [owner] = claimingWitnesses(picture);
      return owner && planAnew(`slot ${picture.facts.slot} belongs to ${owner.node}`);
    },
  },
  {
    name: 'one-owner',
    reason: 'Several own it: whichever is finalised, the others delete their keys.',
    decide: (picture) => {
      const [other] = claimingWitnesses(picture);
      if (other === undefined) return undefined;
      const end = picture.sourceClaims ? picture.sourceName : picture.targetName;
      return disputed(picture.facts, `${end} and ${other.node} both own it`);
    },
  },
  {
    name: 'no-keys-behind-the-target',
    reason:
      'The target owns the slot, and so does the source, which holds keys that only it may have.',
    decide: ({ facts, sourceClaims, targetClaims, source, sourceName, targetName }) =>
      sourceClaims && targetClaims && source.keys > 0
        ? disputed(facts, `${sourceName} (with ${source.keys} keys) and ${targetName} both own it`)
        : undefined,
  },
  {
    name: 'migrating-elsewhere',
    reason: 'The slot is on its way to a third shard, which may hold some of its keys.',
    decide: ({ source, sourceClaims, facts }) =>
      sourceClaims && source.migratingTo?.standing === 'other'
        ? planAnew(`slot ${facts.slot} is on its way to another shard: settle that first`)
        : undefined,
  },
];

function claimingWitnesses({ facts }: SlotPicture) {
  return facts.witnesses.filter(
    ({ said }) => said !== undefined && said.role === 'master' && said.owner === said.nodeId,
  );
}
