/** Misfortunes of a running cluster, for tests of repairs and changes. */
import type { NodeKey } from '../../model/layout.ts';
import type { NodeObservation, Observation, ProcessObservation } from '../../model/observation.ts';
import { clusterViewOf } from '../../topology/cluster-view.ts';
import { ABSENT } from '../fresh-node.ts';
import { settle } from '../settle.ts';

/**
 * - `stop`: somebody stopped it. `crash`: it crashes at every start until it is made anew.
 * - `hold`: its agent holds it back until it is started on purpose.
 * - `lose-identity`: its nodes.conf is gone. `wipe`: its directory is. `vanish`: its agent's
 *   record of it, too.
 * - `hang`: its process does not answer.
 * - `fail-over`: it hung for a while, and came back.
 * - `stray`: it follows the master of another shard.
 */
export const MISFORTUNES = [
  'stop',
  'crash',
  'hold',
  'lose-identity',
  'wipe',
  'vanish',
  'hang',
  'fail-over',
  'stray',
] as const;

export type Misfortune = (typeof MISFORTUNES)[number];

/** @param whom For a stray: the master that it follows, by default the first of another shard. */
export function strike(
  before: Observation,
  key: NodeKey,
  misfortune: Misfortune,
  whom?: NodeKey,
): Observation {
  const node = before.nodes[key];
  if (node?.process.state !== 'running' || node.redis === undefined) return before;
  const down = (process: Partial<ProcessObservation>, redis = node.redis): Observation =>
    withNode(before, { ...node, process: { ...node.process, pid: undefined, ...process }, redis });
  const gone = (process: Partial<ProcessObservation>): Observation =>
    withNode(before, {
      ...node,
      process: { ...node.process, pid: undefined, ...process },
      redis: undefined,
    });
  switch (misfortune) {
    case 'stop':
      return down({ state: 'stopped' });
    case 'crash':
      return down({ state: 'crash-loop', reason: 'exit code 1' });
    case 'hold':
      return down({ state: 'held', reason: 'was master' });
    case 'lose-identity':
      return gone({ state: 'held', identityLost: true, reason: 'nodes.conf is gone' });
    case 'wipe':
      return gone({ state: 'held', marker: undefined, hasData: false, reason: 'gone' });
    case 'vanish':
      return gone(ABSENT);
    case 'hang':
      return down({ state: 'unresponsive' });
    case 'fail-over':
      return withNode(settle(down({ state: 'unresponsive' })), node);
    case 'stray':
      return withStray(before, node, whom);
  }
}

/** All that a planner can see: what a node would say that does not answer is not known. */
export function visiblePart(observation: Observation): Observation {
  const nodes = Object.entries(observation.nodes).map(([key, node]) => {
    const isMute = node.process.state !== 'running';
    return [key, isMute ? { ...node, redis: undefined } : node] as const;
  });
  return { ...observation, nodes: Object.fromEntries(nodes) };
}

function withNode(observation: Observation, node: NodeObservation): Observation {
  return { ...observation, nodes: { ...observation.nodes, [node.key]: node } };
}

function withStray(
  observation: Observation,
  node: NodeObservation,
  whom: NodeKey | undefined,
): Observation {
  const { redis } = node;
  const self = redis?.view.nodes.find((entry) => entry.nodeId === redis.nodeId);
  if (redis?.role !== 'replica' || self === undefined) return observation;
  const wanted = whom === undefined ? undefined : observation.nodes[whom]?.redis?.nodeId;
  const other = redis.view.nodes.find(
    (entry) =>
      entry.slots.length > 0 &&
      entry.nodeId !== self.masterId &&
      (wanted === undefined || entry.nodeId === wanted),
  );
  if (other === undefined) return observation;
  const entries = redis.view.nodes.map((entry) =>
    entry === self ? { ...entry, masterId: other.nodeId } : entry,
  );
  const stray = { ...node, redis: { ...redis, view: clusterViewOf(entries) } };
  return settle(withNode(observation, stray));
}
