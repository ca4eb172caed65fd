/** Asks agents how many keys and bytes are in slots of their nodes; what that means is core's to say. */
import { countSlots, type NodeKey, type SlotRange, type SlotSurvey } from '@redrover/core';
import { slotRangeToProto, slotSurveyFromProto } from '@redrover/wire';

import type { PlannerContext } from './cluster-plan.ts';

/** A person waits for the answer: what was not counted by then is estimated, and said to be. */
const BUDGET_MS = 2_000;
/** The budget, the way there and back, and an agent that does something else just now. */
const ANSWER_TIMEOUT_MS = 8_000;

export interface SurveyRequest {
  readonly node: NodeKey;
  readonly host: string;
  readonly slots: readonly SlotRange[];
}

/** All at once. Nodes whose agents are away or cannot tell are left out. */
export async function surveySlots(
  { agents }: Pick<PlannerContext, 'agents'>,
  requests: readonly SurveyRequest[],
): Promise<SlotSurvey[]> {
  const wanted = requests.filter(({ slots }) => countSlots(slots) > 0);
  const answers = await Promise.allSettled(
    wanted.map(async ({ node, host, slots }) => {
      const value = { node, slots: slots.map(slotRangeToProto), budgetMs: BUDGET_MS };
      const { result } = await agents.command(
        host,
        `counting the keys of ${node}`,
        { case: 'surveySlots', value },
        { timeoutMs: ANSWER_TIMEOUT_MS },
      );
      return result.case === 'survey' ? [slotSurveyFromProto(result.value)] : [];
    }),
  );
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
}
