/** Whether it is the controller that is cut off, as people are told. */
import { isCutOff } from '@redrover/core';

import type { Hosts } from './hosts.ts';

/** @returns why nothing is begun now; undefined while most hosts are heard. */
export function explainCutOff(hosts: Hosts): string | undefined {
  const statuses = hosts.listStatuses();
  if (!isCutOff(statuses)) return undefined;
  const silent = statuses.filter(({ status }) => status !== 'online').length;
  return (
    `frozen: ${silent} of ${statuses.length} hosts are silent; the controller may be the one ` +
    'that is cut off'
  );
}
