/**
 * The source owns the slot and it shall move: opened on both ends, its keys moved. What stands before NODE on the
 * target then is in `finalise-rules.ts`.
 */
import type { EndReading } from '../slot-facts.ts';
import { isSettled, quarantine } from './dispute.ts';
import { waitFor, type SlotRule } from './slot-rule.ts';

/** After a promotion, and before cluster states are asked: what they say is a consequence of it. */
export const PROMOTION_RULES: readonly SlotRule[] = [
  {
    name: 'migrating-after-promotion',
    reason:
      'The target imports from a source that was replaced: until the heir migrates, it takes writes of keys that the ' +
      'target holds already.',
    decide: ({ sourceClaims, source, target }) =>
      sourceClaims && isOfReplaced(target) && source.migratingTo === undefined
        ? { kind: 'setMigrating' }
        : undefined,
  },
  {
    name: 'target-names-the-owner',
    reason:
      "A target takes nobody's word on the owner of a slot that it imports. It goes on naming a source that was replaced " +
      'and, once that one has failed or follows another, answers CLUSTERDOWN to everybody (cluster-require-full-coverage).',
    decide: ({ sourceClaims, source, target }) => {
      const isOpen = target.importingFrom?.standing === 'end' || isOfReplaced(target);
      return sourceClaims && isOpen && target.owner !== source.nodeId
        ? { kind: 'nameSource' }
        : undefined;
    },
  },
];

function isOfReplaced({ importingFrom }: EndReading): boolean {
  return importingFrom?.standing === 'same-shard' || importingFrom?.standing === 'gone';
}

export const FORWARD_RULES: readonly SlotRule[] = [
  {
    name: 'imported-from-elsewhere',
    reason: 'The target holds keys of the slot that came from a shard that does not own it.',
    decide: ({ source, sourceClaims, target, facts, sourceName, targetName }) => {
      if (!sourceClaims || target.importingFrom?.standing !== 'other') return undefined;
      if (target.keys === 0) return undefined;
      // A former source that has just come back is a master for a moment more.
      if (!isSettled(facts)) return waitFor(`slot ${facts.slot} to be imported from ${sourceName}`);
      return quarantine(facts, {
        rule: 'keys-of-another-move',
        message:
          `${targetName} holds ${target.keys} keys of slot ${facts.slot} that it imported from a ` +
          `third shard, while ${sourceName} owns the slot.`,
        evidence: [
          `${targetName} imports from node ${target.importingFrom.nodeId}`,
          `${sourceName} holds ${source.keys} keys of the slot`,
        ],
        remedy:
          `Compare the keys on both; delete the wrong ones on ${targetName}, close the slot there ` +
          `with CLUSTER SETSLOT ${facts.slot} STABLE, then run the operation again.`,
      });
    },
  },
  {
    name: 'open-with-one-role',
    reason:
      'A node is source or target, never both: what is opened now could not be finalised (invariant 4).',
    decide: ({ source, target, sourceName, targetName }) => {
      const isOpen = source.migratingTo !== undefined || target.importingFrom !== undefined;
      if (isOpen) return undefined;
      if (source.otherRole !== undefined)
        return waitFor(`source ${sourceName} ${source.otherRole}`);
      if (target.otherRole !== undefined)
        return waitFor(`target ${targetName} ${target.otherRole}`);
      return undefined;
    },
  },
  {
    name: 'importing-before-migrating',
    reason:
      'Clients that the source sends with ASK are turned away by a target that does not import.',
    decide: ({ sourceClaims, target }) =>
      sourceClaims && target.importingFrom === undefined ? { kind: 'setImporting' } : undefined,
  },
  {
    name: 'migrating-before-counting',
    reason:
      'Without MIGRATING the source takes new keys, also in an empty slot, and deletes them when it hears that the ' +
      'target owns it (invariant 3).',
    decide: ({ sourceClaims, source }) =>
      sourceClaims && source.migratingTo?.standing !== 'end' ? { kind: 'setMigrating' } : undefined,
  },
  {
    name: 'importing-from-this-source',
    reason:
      'The target imports from a former master of the source: after NODE it would know the wrong one.',
    decide: ({ sourceClaims, target }) =>
      sourceClaims && target.importingFrom?.standing !== 'end'
        ? { kind: 'setImporting' }
        : undefined,
  },
  {
    name: 'bounded-replica-lag',
    reason: 'Keys that the target has and its replicas have not are lost with the target.',
    decide: ({ facts, source, sourceClaims, targetName }) => {
      if (!sourceClaims || source.keys === 0 || facts.targetReplicas.length === 0) return undefined;
      const { maxReplicaLagBytes } = facts.task;
      const isNear = facts.targetReplicas.some(
        ({ said }) => said !== undefined && said.lagBytes <= maxReplicaLagBytes,
      );
      return isNear
        ? undefined
        : { kind: 'awaitTargetReplicas', reason: `a replica of ${targetName} to catch up` };
    },
  },
  {
    name: 'move-keys',
    reason:
      'NODE on the target makes the source delete what it still holds (invariant 2); and a key that was sent ' +
      'without an answer comes back to life if a client deletes it on the source.',
    decide: ({ sourceClaims, source, facts }) =>
      sourceClaims && (source.keys > 0 || facts.task.keysInDoubt > 0)
        ? { kind: 'moveKeys' }
        : undefined,
  },
];
