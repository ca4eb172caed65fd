/**
 * Where slots are now, by the masters' own word: what the next layout is planned from. Where they
 * shall be is the layout's to say, and what follows from the difference, the planner's.
 */
import type { Layout, LayoutNode } from '../model/layout.ts';
import type { Observation } from '../model/observation.ts';
import { normalizeRanges, type SlotRange } from '../model/slots.ts';

export interface OwnershipQuestion {
  readonly layout: Layout;
  /** Nodes of earlier layouts that this one does not have. */
  readonly former: readonly LayoutNode[];
  /** Of all these nodes. */
  readonly observation: Observation;
}

/** Slots by shard id; shards of which nobody says anything are left out. */
export function ownedSlots(question: OwnershipQuestion): Readonly<Record<string, SlotRange[]>> {
  const { layout, former, observation } = question;
  const slots = new Map<string, SlotRange[]>();
  for (const { key, shard } of [...layout.nodes, ...former]) {
    const { process, redis } = observation.nodes[key] ?? {};
    const isOurs = process?.marker?.clusterId === layout.clusterId;
    if (!isOurs || process.state !== 'running' || redis?.role !== 'master') continue;
    const own = redis.view.nodes.find(({ nodeId }) => nodeId === redis.nodeId)?.slots ?? [];
    if (own.length > 0) slots.set(shard, normalizeRanges([...(slots.get(shard) ?? []), ...own]));
  }
  return Object.fromEntries(slots);
}
