/**
 * What a person must decide about slots, while everything else goes on: those that a mover left
 * where they are, open ones of which it cannot be told where they go, and keys that nobody asks for.
 */
import type { Finding } from '../../model/finding.ts';
import type { LiveNode } from '../situation.ts';
import { isOrphanage, type Fleet } from './fleet.ts';
import { findStayingMasters } from './handoffs.ts';
import { findHeldMoves } from './held-moves.ts';
import { findCircles } from './open-chains.ts';
import { hasEnds, listOpenSlots } from './open-slots.ts';
import { listTriedPairs } from './movers.ts';
import { findOrphanKeys } from './orphan-keys.ts';
import { listQuarantined } from './quarantine.ts';
import { agreedOwner } from './slot-map.ts';

export function findDecisions(fleet: Fleet): Finding[] {
  return [
    ...findQuarantined(fleet),
    ...findUnsettled(fleet),
    ...findCircles(fleet),
    ...findStayingMasters(fleet),
    ...findHeldMoves(fleet),
    ...findOrphans(fleet),
    ...findOrphanKeys(fleet),
  ];
}

function findQuarantined(fleet: Fleet): Finding[] {
  const open = new Set(listOpenSlots(fleet).map(({ slot }) => slot));
  return listQuarantined(fleet.history)
    .filter(({ slot }) => open.has(slot) || !isHome(fleet, slot))
    .map(({ slot, rule, message, evidence, remedy }) => ({
      rule,
      severity: 'warning' as const,
      subject: `slot ${slot}`,
      message,
      evidence,
      remedy,
    }));
}

function isHome(fleet: Fleet, slot: number): boolean {
  const owner = agreedOwner(fleet.slotMap, slot);
  const owned = fleet.shards.find((each) => each.owner?.redis.nodeId === owner);
  return owned?.shard.slots.some(({ start, end }) => start <= slot && slot <= end) === true;
}

function findUnsettled(fleet: Fleet): Finding[] {
  const aside = new Set(listQuarantined(fleet.history).map(({ slot }) => slot));
  return listOpenSlots(fleet)
    .filter((open) => open.isQuiet && !hasEnds(open) && !open.isAwaited && !aside.has(open.slot))
    .map(({ slot, holders, source, target }) => ({
      rule: 'open-slot-unsettled',
      severity: 'warning' as const,
      subject: `slot ${slot}`,
      message: `Slot ${slot} is open for migration, and the other end of it is not known.`,
      evidence: [
        ...holders.map(({ node, self }) => `${node.key} ${describeOpen(self, slot)}`),
        `from ${source?.node.key ?? 'nobody known'} to ${target?.node.key ?? 'nobody known'}`,
      ],
      remedy:
        `Count its keys on every master (CLUSTER COUNTKEYSINSLOT ${slot}); if only its owner has ` +
        `any, send it CLUSTER SETSLOT ${slot} STABLE`,
    }));
}

function describeOpen(self: LiveNode['self'], slot: number): string {
  const to = self?.migrating.find((open) => open.slot === slot);
  if (to !== undefined) return `migrates it to ${to.nodeId}`;
  const from = self?.importing.find((open) => open.slot === slot);
  return `imports it from ${from?.nodeId ?? ''}`;
}

/** After moves not before they were counted twice: a server takes a while to delete what it gave away. */
function findOrphans(fleet: Fleet): Finding[] {
  const isAwaited = listTriedPairs(fleet.attempts).length > 0;
  return fleet.live
    .filter((live) => isOrphanage(fleet, live))
    .filter(({ redis }) => !isAwaited || redis.orphanKeys !== undefined)
    .map(({ node, redis }) => ({
      rule: 'orphan-keys',
      severity: 'warning' as const,
      subject: node.key,
      message: `Node ${node.key} owns no slot and holds ${redis.keys} keys, which no client can reach.`,
      evidence: [`it is a master of shard ${node.shard} by its own word`],
      remedy:
        `Look at its keys (redis-cli -h ${node.address} -p ${node.port} SCAN 0); copy what is needed, ` +
        `FLUSHALL there, then redrover cluster repair ${fleet.layout.cluster}`,
    }));
}
