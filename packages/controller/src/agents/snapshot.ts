/** What is known now of some nodes and their hosts, as the planner reads it. */
import type {
  HostObservation,
  LayoutNode,
  NodeKey,
  NodeObservation,
  Observation,
} from '@redrover/core';

import type { BuildExchange } from './build-exchange.ts';
import type { Hosts } from './hosts.ts';
import type { Observations } from './observations.ts';

export interface Seen {
  readonly hosts: Hosts;
  readonly observations: Observations;
  readonly exchange: BuildExchange;
}

/** `nodes`: of the layout, and those of earlier layouts that are still to go. */
export function takeSnapshot(
  { hosts, observations, exchange }: Seen,
  nodes: readonly LayoutNode[],
): Observation {
  // Without a prototype: a host may be called `constructor`.
  const seenHosts: Record<string, HostObservation> = Object.create(null);
  const seenNodes: Record<NodeKey, NodeObservation> = Object.create(null);
  for (const { host, key } of nodes) {
    // A host that nobody has heard of is no entry at all.
    const seenHost = seenHosts[host] ?? observeHost(hosts, host);
    if (seenHost !== undefined) seenHosts[host] = seenHost;
    const node = findNode({ hosts, observations }, { host, key });
    if (node !== undefined) seenNodes[key] = node;
  }
  return { hosts: seenHosts, nodes: seenNodes, sharedBuilds: exchange.listShared() };
}

function findNode(
  { hosts, observations }: Pick<Seen, 'hosts' | 'observations'>,
  { host, key }: Pick<LayoutNode, 'host' | 'key'>,
): NodeObservation | undefined {
  const known = hosts.find(host);
  // Of a host that is away, what was seen last is all there is, and is read as that.
  if (known?.status !== 'online') return observations.find(key);
  // Who is at work on its nodes is not known yet: they may not be looked at without.
  return known.hasBeat ? observations.findFresh(key) : undefined;
}

function observeHost(hosts: Hosts, name: string): HostObservation | undefined {
  const host = hosts.find(name);
  if (host === undefined) return undefined;
  const { status, facts, builds, movers } = host;
  return { name, status, lastSeenMs: hosts.waitingSinceMs(name), facts, builds, movers };
}
