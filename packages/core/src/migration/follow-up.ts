/**
 * What may be done to a slot at once after an effect, on the word of the node that has just carried it out, without
 * asking everybody again. Only where a look in between could not find a reason against it; never NODE on the target,
 * whose facts are those of a look that came after everything else.
 */
import type { SlotAction, SlotEffect } from './slot-action.ts';
import type { SlotFacts } from './slot-facts.ts';

/**
 * - IMPORTING, then MIGRATING: neither changes who owns the slot, and the count that matters comes after both.
 * - NODE on the target, then SAVECONFIG there, then NODE on the source, which refuses that while it holds keys of the
 *   slot: the target owns it from the first on, and each makes that only safer (invariants 5 and 7).
 */
const MAY_FOLLOW: Partial<Record<SlotEffect['kind'], Following>> = {
  setImporting: 'setMigrating',
  finaliseTarget: 'saveTargetConfig',
  saveTargetConfig: 'finaliseSource',
};

type Following = 'setMigrating' | 'saveTargetConfig' | 'finaliseSource';

export interface FollowUp {
  readonly action: Extract<SlotAction, { readonly kind: Following }>;
  /** As they are once the effect was answered. */
  readonly facts: SlotFacts;
}

/**
 * @param facts What the effect was decided on.
 * @param decide The slot machine.
 */
export function followUp(
  facts: SlotFacts,
  done: SlotEffect['kind'],
  decide: (facts: SlotFacts) => SlotAction,
): FollowUp | undefined {
  const wanted = MAY_FOLLOW[done];
  if (wanted === undefined) return undefined;
  const now = factsAfter(facts, done);
  const action = decide(now);
  return isOfKind(action, wanted) ? { action, facts: now } : undefined;
}

function isOfKind(action: SlotAction, kind: Following): action is FollowUp['action'] {
  return action.kind === kind;
}

function factsAfter(facts: SlotFacts, done: SlotEffect['kind']): SlotFacts {
  const { target, source, task } = facts;
  const { said } = target;
  if (said === undefined) return facts;
  switch (done) {
    case 'setImporting': {
      const importingFrom = { nodeId: source.nodeId, standing: 'end' } as const;
      return { ...facts, target: { ...target, said: { ...said, importingFrom } } };
    }
    case 'finaliseTarget': {
      const owned = { ...said, owner: said.nodeId, importingFrom: undefined };
      return { ...facts, target: { ...target, said: owned } };
    }
    case 'saveTargetConfig':
      return { ...facts, task: { ...task, targetConfigSaved: true } };
    default:
      return facts;
  }
}
