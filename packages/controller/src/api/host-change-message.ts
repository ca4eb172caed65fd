/** Host changes as the API asks for them and tells of them. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { RedroverError, type HostChange } from '@redrover/core';
import {
  HostChangeKind,
  type HostChange as HostChangeMessage,
  type PlanHostChangeResponseSchema,
} from '@redrover/proto';

import type { PlannedHostChange } from '../clusters/host-change-planner.ts';
import { planToProto, refusalToProto } from './plan-message.ts';

/** @throws RedroverError `invalid-argument` */
export function hostChangeFromProto(message: HostChangeMessage | undefined): HostChange {
  const { kind, host = '', with: successor = '' } = message ?? {};
  if (host === '') throw new RedroverError('invalid-argument', 'change: names no host');
  switch (kind) {
    case HostChangeKind.DRAIN:
      return { kind: 'drain', host };
    case HostChangeKind.DRAIN_MOVE:
      return { kind: 'drainMove', host };
    case HostChangeKind.UNDRAIN:
      return { kind: 'undrain', host };
    case HostChangeKind.READDRESS:
      return { kind: 'readdress', host };
    case HostChangeKind.REPLACE:
      if (successor === '' || successor === host) {
        const what = `change.with: name another host that takes over from ${host}`;
        throw new RedroverError('invalid-argument', what);
      }
      return { kind: 'replace', host, with: successor };
    default:
      throw new RedroverError('invalid-argument', `change.kind: ${kind ?? 0} is no known change`);
  }
}

export function plannedHostChangeToProto(
  planned: PlannedHostChange,
): MessageInitShape<typeof PlanHostChangeResponseSchema> {
  if (!planned.ok) return { result: { case: 'refusal', value: refusalToProto(planned) } };
  return { result: { case: 'plans', value: { plans: planned.plans.map(planToProto) } } };
}
