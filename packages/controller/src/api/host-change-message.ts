/** Plans for host changes as the API tells of them. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { PlanHostChangeResponseSchema } from '@redrover/proto';

import type { PlannedHostChange } from '../clusters/host-change-planner.ts';
import { planToProto, refusalToProto } from './plan-message.ts';

export function plannedHostChangeToProto(
  planned: PlannedHostChange,
): MessageInitShape<typeof PlanHostChangeResponseSchema> {
  if (!planned.ok) return { result: { case: 'refusal', value: refusalToProto(planned) } };
  return { result: { case: 'plans', value: { plans: planned.plans.map(planToProto) } } };
}
