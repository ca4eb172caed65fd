/** The ends of the move: there, masters, and the nodes that the task means. */
import type { EndFacts, ReplicaFacts, SlotFacts } from '../slot-facts.ts';
import { planAnew, waitFor, type SlotPicture, type SlotRule } from './slot-rule.ts';

/** Asked before both ends are known to have answered. */
export const PRESENCE_RULES: readonly SlotRule<SlotFacts>[] = [
  {
    name: 'source-failed-over',
    reason:
      'A promoted replica owns what its master owned and knows nothing of MIGRATING (before Valkey 8); it takes ' +
      'writes of keys that the target holds already until it is told.',
    decide: ({ source, sourceReplicas }) => {
      const heir = promoted(sourceReplicas);
      return heir && planAnew(`${heir.node} was promoted in place of source ${source.node}`);
    },
  },
  {
    name: 'target-failed-over',
    reason: 'A promoted replica has what it had received, and no IMPORTING flag.',
    decide: ({ target, targetReplicas }) => {
      const heir = promoted(targetReplicas);
      return heir && planAnew(`${heir.node} was promoted in place of target ${target.node}`);
    },
  },
  {
    name: 'source-answers',
    reason: 'Nothing is repaired while a master is out of reach: what it would say is not known.',
    decide: ({ source }) => silence('source', source),
  },
  {
    name: 'target-answers',
    reason: 'Nothing is repaired while a master is out of reach: what it would say is not known.',
    decide: ({ target }) => silence('target', target),
  },
];

export const END_RULES: readonly SlotRule[] = [
  {
    name: 'ends-are-meant',
    reason: 'A node that was made anew under the same address has another id, and other slots.',
    decide: ({ facts }) => {
      const other = [facts.source, facts.target].find((end) => end.said?.nodeId !== end.nodeId);
      return other && planAnew(`${other.node} is another node than the task was made for`);
    },
  },
  {
    name: 'ends-have-loaded',
    reason: 'While a node loads its dataset, its key counts mean nothing.',
    decide: ({ source, target, sourceName, targetName }) => {
      if (source.loading) return waitFor(`source ${sourceName} is loading its dataset`);
      if (target.loading) return waitFor(`target ${targetName} is loading its dataset`);
      return undefined;
    },
  },
  {
    name: 'target-is-master',
    reason: 'A replica refuses SETSLOT; its master is another node now.',
    decide: ({ target, targetName }) =>
      target.role === 'master' ? undefined : planAnew(`target ${targetName} is a replica now`),
  },
  {
    name: 'source-is-master',
    reason:
      'A source that is a replica has lost the slot to whoever was promoted, except where it follows the target ' +
      'because it was drained (cluster-allow-replica-migration).',
    decide: (picture) => {
      const { source, target, targetClaims, sourceName } = picture;
      if (source.role === 'master') return undefined;
      if (targetClaims && source.owner === target.nodeId) return undefined;
      return planAnew(`source ${sourceName} is a replica now`);
    },
  },
];

/** Cluster state on both ends, where the slot goes forward: a node in state fail refuses RESTORE, and much else. */
export const STATE_RULE: SlotRule = {
  name: 'cluster-state-is-ok',
  reason:
    'An end whose cluster_state is fail is cut off or misses masters: what it says of others is old.',
  decide: ({ source, target, sourceName, targetName }: SlotPicture) => {
    if (!source.stateOk) return waitFor(`source ${sourceName} says cluster_state:fail`);
    if (!target.stateOk) return waitFor(`target ${targetName} says cluster_state:fail`);
    return undefined;
  },
};

function promoted(replicas: readonly ReplicaFacts[]): ReplicaFacts | undefined {
  return replicas.find(({ said }) => said?.role === 'master');
}

function silence(which: string, end: EndFacts) {
  return end.said === undefined ? waitFor(`${which} ${end.node} does not answer`) : undefined;
}
