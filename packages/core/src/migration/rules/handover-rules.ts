/** The target owns the slot: everybody else has to see it, in the order that no crash can undo. */
import type { ReplicaFacts, WitnessFacts } from '../slot-facts.ts';
import { disputed } from './dispute.ts';
import type { SlotAnswer, SlotPicture, SlotRule } from './slot-rule.ts';

/**
 * Redis 7.0 broadcasts a SETSLOT NODE at once, 5.0 does not. Who has not heard after this time is told: longer than a
 * broadcast takes, shorter than the second between random pings.
 */
const TELL_AFTER_MS = 200;

/** In units of the node timeout; pings reach every node within half of one. */
const CONVERGENCE_TIMEOUTS = 6;

export const HANDOVER_RULES: readonly SlotRule[] = [
  {
    name: 'target-config-is-saved',
    reason:
      'NODE writes nodes.conf without fsync. After a power cut the target would name the source and the source the ' +
      'target, for ever (invariant 7).',
    decide: (picture) =>
      picture.targetClaims && !picture.facts.task.targetConfigSaved
        ? { kind: 'saveTargetConfig' }
        : undefined,
  },
  {
    name: 'finalise-source',
    reason: 'The source has to give the slot up, or it claims it again with its next epoch.',
    decide: ({ targetClaims, source, target }) =>
      targetClaims && source.role === 'master' && source.owner !== target.nodeId
        ? { kind: 'finaliseSource' }
        : undefined,
  },
  {
    name: 'close-given-up-slot',
    reason:
      'A source that learned by gossip keeps MIGRATING, and one that came back with old keys marks itself IMPORTING ' +
      'from the owner: left open, they would be taken for a move under way.',
    decide: ({ targetClaims, source }) => {
      if (!targetClaims || source.role !== 'master') return undefined;
      const { migratingTo, importingFrom } = source;
      return migratingTo === undefined && importingFrom === undefined
        ? undefined
        : { kind: 'closeSource' };
    },
  },
  {
    name: 'masters-are-told',
    reason:
      'Before 7.0 nothing is broadcast: masters that lag send clients to the source (invariant 8).',
    decide: (picture) => {
      const { targetClaims, facts } = picture;
      if (!targetClaims) return undefined;
      const lagging = facts.witnesses.filter((node) => isBehind(picture, node));
      if (lagging.length === 0) return undefined;
      const masters = lagging.filter(({ said }) => said?.role === 'master');
      const sinceMs = Math.max(facts.task.givenUpForMs ?? 0, facts.unchangedForMs);
      if (sinceMs < TELL_AFTER_MS || masters.length === 0) return awaitView(picture, lagging);
      return { kind: 'tellMasters', nodeIds: masters.map(({ nodeId }) => nodeId) };
    },
  },
  {
    name: 'replicas-have-heard',
    reason:
      'A replica of the source that still sees it as owner takes the slot back when it is promoted, with a higher ' +
      'epoch, and the target deletes the keys; one of the target would not take it over (invariant 8).',
    decide: (picture) => {
      const { targetClaims, facts } = picture;
      if (!targetClaims) return undefined;
      const deaf = [...facts.sourceReplicas, ...facts.targetReplicas].filter(
        (node) => !node.failed && (node.said === undefined || isBehind(picture, node)),
      );
      return deaf.length === 0 ? undefined : awaitView(picture, deaf);
    },
  },
  {
    name: 'moved',
    reason: 'The target owns the slot, durably, and whoever could dispute it has seen so.',
    decide: ({ targetClaims, source }) =>
      targetClaims ? { kind: 'done', moved: true, orphanKeys: source.keys } : undefined,
  },
];

function isBehind({ target }: SlotPicture, { said }: WitnessFacts | ReplicaFacts): boolean {
  return said !== undefined && said.owner !== target.nodeId;
}

function awaitView(
  { facts, targetName }: SlotPicture,
  nodes: readonly (WitnessFacts | ReplicaFacts)[],
): SlotAnswer {
  const names = nodes.map(({ node }) => node).join(', ');
  // Who names nobody is loading, or was told nothing yet; who is silent may be only slow.
  const isDisputed = nodes.some(({ said }) => said?.owner !== undefined);
  if (isDisputed && facts.unchangedForMs >= CONVERGENCE_TIMEOUTS * facts.nodeTimeoutMs) {
    return disputed(facts, `${targetName} owns it, and ${names} did not come to see it`);
  }
  return {
    kind: 'awaitConvergence',
    nodeIds: nodes.map(({ nodeId }) => nodeId),
    reason: `${names} to see ${targetName} as owner of slot ${facts.slot}`,
  };
}
