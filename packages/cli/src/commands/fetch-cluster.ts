/** A cluster as it is now: its nodes, and whether their hosts are there to be asked. */
import { hostStatusFromProto } from '@redrover/wire';

import type { Api } from '../connection/api.ts';
import { toClusterDetails } from '../render/cluster-view.ts';
import type { ClusterDetails } from '../render/cluster-view.ts';

export async function fetchCluster(api: Api, cluster: string): Promise<ClusterDetails> {
  const [answer, { hosts }] = await Promise.all([
    api.clusters.getCluster({ cluster }),
    api.hosts.listHosts({}),
  ]);
  const statuses = hosts.map(({ name, status }) => [name, hostStatusFromProto(status)] as const);
  return toClusterDetails(answer, new Map(statuses));
}
