/**
 * Gives each shard's acting master its slots, and its config epoch while it is still alone.
 *
 * `CLUSTER SET-CONFIG-EPOCH` is refused once a node knows another one or has an epoch, so both
 * come before any MEET (Redis command page CLUSTER SET-CONFIG-EPOCH). If a creation was cut off
 * in between, equal epochs are left to Redis, which separates them.
 */
import type { ClaimSlotsStep } from '../model/step.ts';
import { formatRanges } from '../model/slots.ts';
import { tryStep } from './attempts.ts';
import type { ShardState } from './shards.ts';
import type { LiveNode, Situation } from './situation.ts';
import { IDLE, mergeTurns, waiting, type Turn } from './turn.ts';

export function planClaims(situation: Situation, shards: readonly ShardState[]): Turn {
  const acting = new Set(shards.map((state) => state.acting));
  const others = situation.live.filter((live) => !acting.has(live));
  return mergeTurns([
    ...shards.map((state) => planClaim(situation, state)),
    ...others.map((live) => planEpoch(situation, live)),
  ]);
}

function planClaim(situation: Situation, state: ShardState): Turn {
  const { acting, missing, shard, dispute } = state;
  if (acting === undefined) return waiting(shard.id, dispute);
  const configEpoch = epochToSet(situation, acting);
  if (missing.length === 0 && configEpoch === 0) return IDLE;
  return claim(situation, acting, { configEpoch, slots: missing });
}

/**
 * Nodes that become replicas get an epoch of their own too: until they are attached they are
 * masters, and masters of equal epoch make each other write a new one, one after the other.
 */
function planEpoch(situation: Situation, live: LiveNode): Turn {
  const configEpoch = epochToSet(situation, live);
  if (configEpoch === 0) return IDLE;
  return claim(situation, live, { configEpoch, slots: [] });
}

function claim(
  situation: Situation,
  { node }: LiveNode,
  what: Pick<ClaimSlotsStep, 'configEpoch' | 'slots'>,
): Turn {
  const step: ClaimSlotsStep = { kind: 'claimSlots', host: node.host, node: node.key, ...what };
  return tryStep(situation.attempts, step, {
    now: situation.now,
    what: `giving ${node.key} its config epoch and slots ${formatRanges(what.slots)}`.trimEnd(),
    subject: node.key,
    remedy: `redrover cluster check ${situation.layout.cluster} shows who owns what`,
  });
}

/** The epoch that the node may still be given; 0: it has one, or knows other nodes already. */
function epochToSet(situation: Situation, live: LiveNode): number {
  if (!isAlone(live) || live.redis.configEpoch !== 0) return 0;
  if (live.node.configEpoch !== 0) return live.node.configEpoch;
  const { nodes } = situation.layout;
  const highest = Math.max(...nodes.map((node) => node.configEpoch));
  return highest + 1 + nodes.filter((node) => node.configEpoch === 0).indexOf(live.node);
}

/** Whether the node knows no other node, not even by a handshake. */
export function isAlone(live: LiveNode): boolean {
  return live.redis.view.nodes.length === 1 && live.redis.knownNodes <= 1;
}
