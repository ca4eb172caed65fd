/**
 * Attaches each shard's other nodes to its acting master, as soon as each one knows that master.
 *
 * `CLUSTER REPLICATE` makes a node throw its data away, so it is only ever asked of a node that
 * has no key and to which no view attributes a slot.
 */
import type { AttachReplicaStep } from '../model/step.ts';
import { tryStep } from './attempts.ts';
import { attributeSlots, type ShardState } from './shards.ts';
import { viewOf, type LiveNode, type Situation } from './situation.ts';
import { blocking, IDLE, mergeTurns, waiting, type Turn } from './turn.ts';

export function planReplicas(situation: Situation, shards: readonly ShardState[]): Turn {
  const attributed = attributeSlots(situation);
  return mergeTurns(
    shards.flatMap(({ acting, members }) => {
      if (acting === undefined) return [];
      const others = members.filter((live) => live !== acting);
      return others.map((live) => planReplica(situation, { live, acting, members, attributed }));
    }),
  );
}

/** Whether the node follows the acting master, by its own word. */
export function isAttached(live: LiveNode, acting: LiveNode): boolean {
  return live.redis.role === 'replica' && live.self?.masterId === acting.redis.nodeId;
}

interface ReplicaCase {
  readonly live: LiveNode;
  readonly acting: LiveNode;
  readonly members: readonly LiveNode[];
  readonly attributed: ReadonlySet<string>;
}

function planReplica(situation: Situation, replica: ReplicaCase): Turn {
  const { live, acting, members, attributed } = replica;
  const { node, redis, self } = live;
  if (isAttached(live, acting)) return IDLE;
  // Redis itself moves the replicas of a master that became a replica to the new master.
  const followsMember = members.some((member) => member.redis.nodeId === self?.masterId);
  if (redis.role === 'replica' && followsMember) {
    return waiting(node.key, `still follows the former master of shard ${node.shard}`);
  }
  // Two claimants are a dispute of shards.ts already; this command throws data away, so twice.
  if (attributed.has(redis.nodeId)) return waiting(node.key, 'still owns slots in some view');
  if (redis.keys > 0) return refuseToDiscard(situation, live, acting);
  if (!knowsAsMaster(situation, live, acting)) {
    return waiting(node.key, `does not know its master ${acting.node.key} yet`);
  }
  const step: AttachReplicaStep = {
    kind: 'attachReplica',
    host: node.host,
    node: node.key,
    master: acting.node.key,
    masterNodeId: acting.redis.nodeId,
  };
  return tryStep(situation.attempts, step, {
    now: situation.now,
    what: `attaching ${node.key} to ${acting.node.key}`,
    subject: node.key,
    remedy: `redrover cluster check ${situation.layout.cluster} shows what the nodes say`,
  });
}

function refuseToDiscard(situation: Situation, live: LiveNode, acting: LiveNode): Turn {
  return blocking({
    rule: 'node-holds-data',
    subject: live.node.key,
    message:
      `Node ${live.node.key} holds ${live.redis.keys} keys, which becoming a replica of ` +
      `${acting.node.key} would throw away.`,
    evidence: [`role ${live.redis.role}`, `follows ${live.self?.masterId || 'nobody'}`],
    remedy:
      `Look at its keys (redrover cluster connect ${situation.layout.cluster}); ` +
      `if they are not needed, FLUSHALL on that node, then apply again`,
  });
}

function knowsAsMaster(situation: Situation, live: LiveNode, acting: LiveNode): boolean {
  const entry = viewOf(situation, live).get(acting.redis.nodeId);
  return entry?.flags.includes('master') === true && !entry.flags.includes('handshake');
}
