/** The hosts as placement sees them: what other clusters use on them is taken. */
import { busPortOf, nodeMemoryBytes, type Host } from '@redrover/core';

import type { Hosts, KnownHost } from '../agents/hosts.ts';
import type { Observations } from '../agents/observations.ts';
import type { ClusterRecord } from '../store/cluster-records.ts';

export interface PlanningSources {
  readonly hosts: Hosts;
  readonly observations: Observations;
}

/** `clusterId`: of the cluster that is planned, whose own nodes do not count. */
export function listPlanningHosts(
  sources: PlanningSources,
  clusters: readonly ClusterRecord[],
  clusterId: string,
): Host[] {
  const others = clusters.filter((cluster) => cluster.clusterId !== clusterId);
  return sources.hosts.list().map((host) => ({
    name: host.name,
    address: host.address,
    labels: host.labels,
    status: host.status,
    facts: host.facts,
    usedPorts: [...new Set(usedPortsOf(sources, host, others, clusterId))],
    reservedBytes: reservedBytesOf(host, others),
  }));
}

function usedPortsOf(
  { observations }: PlanningSources,
  host: KnownHost,
  others: readonly ClusterRecord[],
  clusterId: string,
): number[] {
  const planned = others
    .flatMap(({ layout }) => layout.nodes)
    .filter((node) => node.host === host.name)
    .flatMap((node) => [node.port, node.busPort]);
  // Nodes that no layout knows any more keep their ports as well.
  const present = observations
    .listOfHost(host.name)
    .filter((node) => node.process.marker?.clusterId !== clusterId)
    .flatMap((node) => [node.port, busPortOf(node.port)]);
  return [...host.usedPorts, ...planned, ...present];
}

function reservedBytesOf(host: KnownHost, others: readonly ClusterRecord[]): number {
  let bytes = 0;
  for (const { layout } of others) {
    const { maxmemoryBytes } = layout;
    if (maxmemoryBytes === undefined) continue;
    const count = layout.nodes.filter((node) => node.host === host.name).length;
    bytes += count * nodeMemoryBytes(maxmemoryBytes);
  }
  return bytes;
}
