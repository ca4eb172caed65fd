/** The hosts as placement sees them: what other clusters use on them is taken. */
import { busPortOf, nodeMemoryBytes, type Host, type NodeObservation } from '@redrover/core';

import type { Hosts, KnownHost } from '../agents/hosts.ts';
import type { Observations } from '../agents/observations.ts';
import type { ClusterRecord } from '../store/cluster-records.ts';

export interface PlanningSources {
  readonly hosts: Hosts;
  readonly observations: Observations;
}

/** What placement must know of each cluster. */
export type PlanningCluster = Pick<ClusterRecord, 'clusterId' | 'layout'>;

/** `clusterId`: of the cluster that is planned, whose own nodes do not count. */
export function listPlanningHosts(
  sources: PlanningSources,
  clusters: readonly PlanningCluster[],
  clusterId: string,
): Host[] {
  const others = clusters.filter((cluster) => cluster.clusterId !== clusterId);
  const own = clusters.find((cluster) => cluster.clusterId === clusterId);
  const ownKeys = new Set(own?.layout.nodes.map((node) => node.key));
  const isOwn = ({ key, process }: NodeObservation): boolean =>
    process.marker?.clusterId === clusterId && (own === undefined || ownKeys.has(key));
  return sources.hosts.list().map((host) => ({
    name: host.name,
    address: host.address,
    labels: host.labels,
    status: host.status,
    facts: host.facts,
    usedPorts: [...new Set(usedPortsOf(sources, host, { others, isOwn }))],
    reservedBytes: reservedBytesOf(host, others),
  }));
}

interface Users {
  readonly others: readonly PlanningCluster[];
  /** Whether the node is in the layout of the cluster that is planned. */
  readonly isOwn: (node: NodeObservation) => boolean;
}

function usedPortsOf(
  { observations }: PlanningSources,
  host: KnownHost,
  { others, isOwn }: Users,
): number[] {
  const planned = others
    .flatMap(({ layout }) => layout.nodes)
    .filter((node) => node.host === host.name)
    .flatMap((node) => [node.port, node.busPort]);
  // Nodes that no layout knows any more keep their ports as well, those of the cluster itself too.
  const present = observations
    .listOfHost(host.name)
    .filter((node) => !isOwn(node))
    .flatMap((node) => [node.port, busPortOf(node.port)]);
  return [...host.usedPorts, ...planned, ...present];
}

function reservedBytesOf(host: KnownHost, others: readonly PlanningCluster[]): number {
  let bytes = 0;
  for (const { layout } of others) {
    const { maxmemoryBytes } = layout;
    if (maxmemoryBytes === undefined) continue;
    const count = layout.nodes.filter((node) => node.host === host.name).length;
    bytes += count * nodeMemoryBytes(maxmemoryBytes);
  }
  return bytes;
}
