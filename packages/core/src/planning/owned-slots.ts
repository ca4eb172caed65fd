/**
 * Where slots are now, by the shards whose masters own them: what the next layout is planned from.
 * Where they shall be is the layout's to say, and what follows from the difference, the planner's.
 */
import { DEFAULT_MOVE_OPTIONS } from '../model/migration.ts';
import type { SlotRange } from '../model/slots.ts';
import { assessFleet } from './reconcile/fleet.ts';
import type { PlanInput } from './situation.ts';

export type OwnershipQuestion = Pick<PlanInput, 'layout' | 'release' | 'former' | 'observation'> & {
  /** Milliseconds since the epoch, as for `planSteps`. */
  readonly now: number;
};

/**
 * Slots by shard id, those of shards that only earlier layouts have included. Left out are slots on
 * whose owner the nodes do not agree, and those of masters that serve no shard of theirs.
 */
export function ownedSlots(
  question: OwnershipQuestion,
): Readonly<Record<string, readonly SlotRange[]>> {
  const fleet = assessFleet({
    ...question,
    kind: 'change',
    purge: false,
    move: DEFAULT_MOVE_OPTIONS,
    history: [],
  });
  const owned = [...fleet.shards, ...fleet.departed].flatMap(({ shard, owner }) => {
    const slots = fleet.slotMap.agreed.get(owner?.redis.nodeId ?? '') ?? [];
    return slots.length === 0 ? [] : [[shard.id, slots] as const];
  });
  return Object.fromEntries(owned);
}
