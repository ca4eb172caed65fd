/**
 * Takes a cluster from one layout to another of the same nodes, which is what a creation does
 * once its nodes are there. Layouts with other nodes are refused until moving slots is built.
 */
import { planCreate } from './create.ts';
import { seenNode, type Situation } from './situation.ts';
import { blocking, type Turn } from './turn.ts';

export function planChange(situation: Situation): Turn {
  const { layout, observation } = situation;
  const wanted = new Set(layout.nodes.map((node) => node.key));
  const added = layout.nodes
    .filter((node) => seenNode(situation, node.key)?.process.state === 'absent')
    .map((node) => node.key);
  const removed = Object.values(observation.nodes)
    .filter((seen) => seen.process.marker?.clusterId === layout.clusterId && !wanted.has(seen.key))
    .map((seen) => seen.key);
  if (added.length + removed.length === 0) return planCreate(situation);
  return blocking({
    rule: 'change-not-supported',
    subject: layout.cluster,
    message: 'Adding or removing nodes of a running cluster is not supported yet.',
    evidence: [
      ...added.map((key) => `to add: ${key}`),
      ...removed.map((key) => `to remove: ${key}`),
    ],
    remedy: 'Put the spec back as it was, or create a new cluster from it.',
  });
}
