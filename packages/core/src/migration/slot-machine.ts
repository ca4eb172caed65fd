/**
 * The state machine of one slot on its way from one master to another with `CLUSTER SETSLOT` and `MIGRATE`.
 *
 * It has no memory: what is true of the slot is asked of the nodes before each action, so a crash of anything at any
 * instant needs no recovery of its own. The mover reads facts, asks for the next action, executes that and nothing
 * else, and asks again. Every state of Redis that the protocol can be left in is one of the rules in `rules/`.
 */
import { END_RULES, PRESENCE_RULES, STATE_RULE } from './rules/end-rules.ts';
import { FINALISE_RULES } from './rules/finalise-rules.ts';
import { FORWARD_RULES, PROMOTION_RULES } from './rules/forward-rules.ts';
import { HANDOVER_RULES } from './rules/handover-rules.ts';
import { OWNER_RULES } from './rules/owner-rules.ts';
import { RECLAIM_RULES } from './rules/reclaim-rules.ts';
import { firstAnswer, pictureOf, type SlotRule } from './rules/slot-rule.ts';
import { UNDO_RULES } from './rules/undo-rules.ts';
import type { SlotAction } from './slot-action.ts';
import type { SlotFacts } from './slot-facts.ts';

/** In the order in which they are asked. Only tests ask any other list: to show what each check is there for. */
export const SLOT_RULES: readonly SlotRule[] = [
  ...END_RULES,
  ...OWNER_RULES,
  ...HANDOVER_RULES,
  ...UNDO_RULES,
  ...PROMOTION_RULES,
  STATE_RULE,
  ...FORWARD_RULES,
  ...RECLAIM_RULES,
  ...FINALISE_RULES,
];

/** The one thing to do next about the slot. Total: there is an answer for whatever the nodes say. */
export function nextSlotAction(facts: SlotFacts): SlotAction {
  return decideSlot(facts, SLOT_RULES);
}

/** `nextSlotAction` with other lists of rules. */
export function decideSlot(
  facts: SlotFacts,
  rules: readonly SlotRule[],
  presence: readonly SlotRule<SlotFacts>[] = PRESENCE_RULES,
): SlotAction {
  const absent = firstAnswer(presence, facts);
  if (absent !== undefined) return absent;
  const { source, target } = facts;
  // Both have answered: the rules above would have said so otherwise.
  if (source.said === undefined || target.said === undefined) {
    throw new TypeError('an end is silent');
  }
  const action = firstAnswer(rules, pictureOf(facts, source.said, target.said));
  return action ?? { kind: 'wait', reason: 'no rule applies', replan: true, rule: 'none' };
}
