/** What is known now of the hosts and nodes of one layout, as the planner reads it. */
import type { HostObservation, Layout, NodeObservation, Observation } from '@redrover/core';

import type { BuildExchange } from './build-exchange.ts';
import type { Hosts } from './hosts.ts';
import type { Observations } from './observations.ts';

export interface Seen {
  readonly hosts: Hosts;
  readonly observations: Observations;
  readonly exchange: BuildExchange;
}

export function takeSnapshot({ hosts, observations, exchange }: Seen, layout: Layout): Observation {
  const seenHosts: Record<string, HostObservation> = {};
  const seenNodes: Record<string, NodeObservation> = {};
  for (const { host, key } of layout.nodes) {
    seenHosts[host] ??= observeHost(hosts, host);
    const node = observations.find(key);
    if (node !== undefined) seenNodes[key] = node;
  }
  // A host that nobody has heard of is no entry at all.
  const known = Object.entries(seenHosts).filter(([name]) => hosts.find(name) !== undefined);
  return {
    hosts: Object.fromEntries(known),
    nodes: seenNodes,
    sharedBuilds: exchange.listShared(),
  };
}

function observeHost(hosts: Hosts, name: string): HostObservation {
  const host = hosts.find(name);
  return {
    name,
    status: host?.status ?? 'lost',
    lastSeenMs: hosts.waitingSinceMs(name),
    facts: host?.facts,
    builds: host?.builds ?? [],
  };
}
