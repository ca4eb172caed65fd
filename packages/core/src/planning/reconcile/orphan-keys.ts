/**
 * Keys of masters in slots of others, which no client can reach: a promotion in the middle of a move leaves them, as
 * does a tool that closes a slot without looking.
 *
 * Which copy of a key is right cannot be known afterwards, so no key is deleted, and none is brought back. Slots that
 * an end has open still are no such case: they are gone on with.
 */
import type { Finding } from '../../model/finding.ts';
import type { SlotKeys } from '../../model/observation.ts';
import { explainOrphanKeys } from '../explain-orphan-keys.ts';
import { containsSlots } from '../shards.ts';
import type { LiveNode } from '../situation.ts';
import { mergeTurns, waiting, type Turn } from '../turn.ts';
import { isOrphanage, shardOwnedBy, type Fleet } from './fleet.ts';
import { listTriedPairs, moveOn } from './movers.ts';
import { agreedOwner } from './slot-map.ts';

export const ORPHAN_KEYS_AT_TARGET = 'orphan-keys-at-target';

/** Slots that are not moved: where they are to go there are keys of them, and nobody has them open. */
export function listStrayedSlots(fleet: Fleet): number[] {
  return listStrayed(fleet).map(({ slot }) => slot);
}

interface Strayed extends SlotKeys {
  readonly live: LiveNode;
}

function listStrayed(fleet: Fleet): Strayed[] {
  return fleet.live.flatMap((live) =>
    slotsOf(live).flatMap(({ slot, keys }) => {
      const wanted = shardOwnedBy(fleet, live)?.shard.slots ?? [];
      const isDue = containsSlots(wanted, [{ start: slot, end: slot }]);
      const isOwn = agreedOwner(fleet.slotMap, slot) === live.redis.nodeId;
      return isDue && !isOwn ? { live, slot, keys } : [];
    }),
  );
}

/** Slots that stay where they are because of such keys; and all of such keys, after slots were moved. */
export function findOrphanKeys(fleet: Fleet): Finding[] {
  const stays = listStrayed(fleet).map((strayed) => describeStay(fleet, strayed));
  if (listTriedPairs(fleet.attempts).length === 0) return stays;
  return [...stays, ...listHolders(fleet).map((live) => describe(fleet, live))];
}

function describeStay(fleet: Fleet, { live, slot, keys }: Strayed): Finding {
  const { node } = live;
  const { evidence, remedy } = describe(fleet, live);
  return {
    rule: ORPHAN_KEYS_AT_TARGET,
    severity: 'warning',
    subject: `slot ${slot}`,
    message: `Slot ${slot} is not moved to ${node.key}, which holds ${keys} keys of it that nobody is known to have sent.`,
    evidence,
    remedy,
  };
}

/** Whether there are any is known of every master before an operation that has moved slots ends. */
export function awaitOrphanCounts(fleet: Fleet): Turn {
  if (listTriedPairs(fleet.attempts).length === 0) return mergeTurns([]);
  const unknown = fleet.live.filter(
    ({ redis }) => redis.role === 'master' && redis.orphanKeys === undefined,
  );
  return mergeTurns(
    unknown.map(({ node }) => waiting(node.key, 'keys in slots of others not counted yet')),
  );
}

/** While a mover is at work there, what it has is on its way. */
function listHolders(fleet: Fleet): LiveNode[] {
  return fleet.live.filter(
    (live) =>
      live.redis.role === 'master' &&
      (live.redis.orphanKeys?.keys ?? 0) > 0 &&
      !isOrphanage(fleet, live) &&
      moveOn(fleet, [live.node]) === undefined,
  );
}

function slotsOf({ redis }: LiveNode): readonly SlotKeys[] {
  return redis.orphanKeys?.slots ?? [];
}

function describe(fleet: Fleet, { node, redis }: LiveNode): Finding {
  const { keys = 0, slotCount = 0, slots = [] } = redis.orphanKeys ?? {};
  const evidence = slots.map(({ slot, keys: count }) => {
    const owner = fleet.liveById.get(agreedOwner(fleet.slotMap, slot) ?? '');
    const name = owner === undefined ? 'they do not agree who' : `all say that ${owner.node.key}`;
    return `slot ${slot}: ${count} keys on ${node.key}; ${name} owns it`;
  });
  return {
    ...explainOrphanKeys({ node, keys, slotCount, cluster: fleet.layout.cluster }),
    evidence,
  };
}
