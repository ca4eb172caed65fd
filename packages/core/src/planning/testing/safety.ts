/** What must hold of every step that is planned, whatever has happened before. */
import type { Layout } from '../../model/layout.ts';
import type { Observation, RedisObservation } from '../../model/observation.ts';
import { countSlots, normalizeRanges, SLOT_COUNT } from '../../model/slots.ts';
import type { Step } from '../../model/step.ts';

/** What really happened, which the journal may have lost. */
export interface Truth {
  readonly probedHosts: ReadonlySet<string>;
  /** Whether a client could ever have written. */
  readonly everUsable: boolean;
}

/** Throws when doing the step now could lose data or never end. */
export function assertSafe(
  layout: Layout,
  observation: Observation,
  truth: Truth,
  step: Step,
): void {
  const fail = (why: string) => {
    throw new Error(`unsafe ${step.kind} ${JSON.stringify(step).slice(0, 200)}: ${why}`);
  };
  const speakers = Object.values(observation.nodes).flatMap((node) => node.redis ?? []);
  switch (step.kind) {
    case 'prepareNode':
    case 'startNode': {
      const key = step.kind === 'startNode' ? step.node : step.plan.node.key;
      const process = observation.nodes[key]?.process;
      const ours = process?.marker?.clusterId === layout.clusterId;
      if (!ours && (process?.hasData === true || step.kind === 'startNode')) fail('foreign data');
      break;
    }
    case 'claimSlots': {
      const redis = redisOf(observation, step.node);
      if (step.configEpoch > 0 && redis.view.nodes.length > 1) fail('knows others already');
      for (const speaker of speakers) {
        for (const entry of speaker.view.nodes) {
          if (entry.nodeId === redis.nodeId) continue;
          const both = countSlots(entry.slots) + countSlots(step.slots);
          const union = countSlots(normalizeRanges([...entry.slots, ...step.slots]));
          if (union !== both) fail(`a slot is owned by ${entry.nodeId}`);
        }
      }
      break;
    }
    case 'meetNodes': {
      const unprobed = layout.nodes.filter((node) => !truth.probedHosts.has(node.host));
      if (unprobed.length > 0) fail(`not probed from ${unprobed[0]?.host}`);
      const owned = layout.nodes.flatMap((node) => ownSlots(observation, node.key));
      if (countSlots(normalizeRanges(owned)) < SLOT_COUNT) fail('slots are not claimed');
      break;
    }
    case 'attachReplica': {
      const redis = redisOf(observation, step.node);
      if (redis.keys > 0) fail('it has keys');
      const entries = speakers.flatMap((speaker) => speaker.view.nodes);
      const owns = entries.some((entry) => entry.nodeId === redis.nodeId && entry.slots.length);
      if (owns) fail('it owns slots');
      break;
    }
    case 'setTiming':
      if (step.nodeTimeoutMs < layout.nodeTimeoutMs) {
        if (!step.replicaNoFailover) fail('replicas may fail over');
        if (truth.everUsable) fail('the cluster was usable');
      }
      break;
    case 'verifyWrite':
      if (speakers.some((redis) => redis.clusterState !== 'ok')) fail('cluster_state fail');
      break;
    default:
  }
}

/** Throws unless the layout is real: what `done` promises. */
export function assertReal(layout: Layout, observation: Observation): void {
  const hashes = new Set<string>();
  for (const node of layout.nodes) {
    const redis = redisOf(observation, node.key);
    hashes.add(redis.view.hash);
    if (redis.view.nodes.length !== layout.nodes.length) throw new Error('unknown nodes');
    if (redis.clusterState !== 'ok') throw new Error(`${node.key} says fail`);
    if (redis.nodeTimeoutMs !== layout.nodeTimeoutMs || redis.replicaNoFailover) {
      throw new Error(`timing of ${node.key} is lowered`);
    }
    if (redis.role === 'replica' && redis.masterLinkUp !== true) throw new Error('link down');
  }
  if (hashes.size !== 1) throw new Error('views differ');
  for (const shard of layout.shards) {
    const members = layout.nodes.filter((node) => node.shard === shard.id);
    const masters = members.filter((node) => redisOf(observation, node.key).role === 'master');
    if (masters.length !== 1) throw new Error(`${masters.length} masters in ${shard.id}`);
    const owned = members.flatMap((node) => ownSlots(observation, node.key));
    if (countSlots(owned) !== countSlots(shard.slots)) throw new Error(`slots of ${shard.id}`);
  }
}

export function isUsable(layout: Layout, observation: Observation): boolean {
  return layout.nodes.some((node) => {
    const redis = observation.nodes[node.key]?.redis;
    return redis?.clusterState === 'ok' && redis.slotsAssigned === SLOT_COUNT;
  });
}

function redisOf(observation: Observation, key: string): RedisObservation {
  const redis = observation.nodes[key]?.redis;
  if (redis === undefined) throw new Error(`${key} does not answer`);
  return redis;
}

function ownSlots(observation: Observation, key: string) {
  const redis = observation.nodes[key]?.redis;
  return redis?.view.nodes.find((entry) => entry.nodeId === redis.nodeId)?.slots ?? [];
}
