/** Reads node observations off the wire; a host may only speak of its own nodes. */
import { nodeKey } from '@redrover/core';
import type { NodeObservation as NodeObservationMessage } from '@redrover/proto';
import { nodeObservationFromProto } from '@redrover/wire';

import type { NodeReport } from './observations.ts';

export function readNodeReports(
  host: string,
  messages: readonly NodeObservationMessage[],
): NodeReport[] {
  return messages
    .filter((message) => message.host === host && message.key === nodeKey(host, message.port))
    .map((message) => ({
      observation: nodeObservationFromProto(message),
      disconnectedIds: message.redis?.disconnectedIds ?? [],
    }));
}
