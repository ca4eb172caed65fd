/** What a loss would leave behind, as the API tells it. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { DomainOutcome } from '@redrover/core';
import type { DomainOutcomeSchema } from '@redrover/proto';
import { numberToProto } from '@redrover/wire';

export function domainOutcomeToProto(
  outcome: DomainOutcome,
): MessageInitShape<typeof DomainOutcomeSchema> {
  const { busiestHostUsedBytes, busiestHostMemoryBytes } = outcome;
  return {
    ...outcome,
    mastersThere: [...outcome.mastersThere],
    lostSlots: outcome.lostSlots.map((range) => ({ ...range })),
    lostShards: [...outcome.lostShards],
    failovers: [...outcome.failovers],
    replicasLeft: { ...outcome.replicasLeft },
    busiestHostUsedBytes: numberToProto(busiestHostUsedBytes, 'busiest_host_used_bytes'),
    busiestHostMemoryBytes: numberToProto(busiestHostMemoryBytes, 'busiest_host_memory_bytes'),
  };
}
