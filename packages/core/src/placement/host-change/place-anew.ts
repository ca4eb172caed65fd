/**
 * New places for the nodes of one host: same shards and, where the rules allow it, same preferred
 * roles. All other nodes stay where they are.
 *
 * Which hosts may take them is decided by `move.ts`, and whether the result is fit by `lintLayout`.
 */
import type { Host } from '../../model/host.ts';
import {
  busPortOf,
  nodeKey,
  type Layout,
  type LayoutNode,
  type LayoutShard,
} from '../../model/layout.ts';
import { compareNames } from '../candidate-hosts.ts';
import { zonesOfHosts } from '../failure-zones.ts';
import { memoryCapacity } from '../host-capacity.ts';
import type { PlacementProblem, ShardPlaces } from '../placement-problem.ts';
import { solvePlacement } from '../solve-placement.ts';
import { FreePorts } from '../free-ports.ts';
import { nodesOn, type HostChangeRequest } from './host-change-request.ts';
import { rearrangeRoles } from './rearrange-roles.ts';

/**
 * Undefined when the nodes find no room at all; a layout that breaks rules is given where there is
 * none that keeps them, so that it can be told which.
 */
export function placeAnew(
  request: HostChangeRequest,
  targets: readonly Host[],
): Layout | undefined {
  const [only] = targets;
  const moved = mastersFirst(nodesOn(request.layout, request.change.host));
  if (targets.length === 1 && only !== undefined) {
    return withRoles(request, bind(request, new Map(moved.map((node) => [node, only]))));
  }
  const hosts = problemHosts(request, targets);
  const sameRoles = solvePlacement(problemOf(request, { targets, hosts, keepRoles: true }));
  if (sameRoles.ok) {
    return bind(request, choose(request, { places: sameRoles.assignment, hosts, targets }));
  }
  const anyRoles = solvePlacement(problemOf(request, { targets, hosts, keepRoles: false }));
  const places = anyRoles.ok ? anyRoles.assignment : anyRoles.nearest;
  if (places === undefined) return undefined;
  return withRoles(request, bind(request, choose(request, { places, hosts, targets })));
}

/** The fewest changes of roles that keep the majority, unless the risk was accepted. */
function withRoles({ hosts }: HostChangeRequest, layout: Layout | undefined): Layout | undefined {
  if (layout === undefined || layout.allowWeakQuorum) return layout;
  return rearrangeRoles(layout, hosts) ?? layout;
}

/** How many nodes more a host can take; Infinity when memory is not checked. */
export function roomOn({ layout }: HostChangeRequest, host: Host): number {
  return memoryCapacity(host, layout.maxmemoryBytes) - nodesOn(layout, host.name).length;
}

/** Hosts that keep nodes, and those that may get some; hosts that are not known have no labels. */
function problemHosts({ layout, change }: HostChangeRequest, targets: readonly Host[]): string[] {
  const keeping = layout.nodes.map((node) => node.host).filter((name) => name !== change.host);
  const names = new Set([...keeping, ...targets.map((host) => host.name)]);
  return [...names].sort(compareNames);
}

function problemOf(
  request: HostChangeRequest,
  options: {
    readonly targets: readonly Host[];
    readonly hosts: readonly string[];
    readonly keepRoles: boolean;
  },
): PlacementProblem {
  const { layout, change } = request;
  const { targets, hosts, keepRoles } = options;
  const used = request.hosts.filter((host) => hosts.includes(host.name));
  const zones = used.length < hosts.length ? undefined : zonesOfHosts(used, layout.zoneLabel);
  const zoneNames = [...new Set(zones?.values())];
  const moved = nodesOn(layout, change.host).length;
  return {
    hosts: hosts.map((name) => {
      const target = targets.find((host) => host.name === name);
      const room = target === undefined ? 0 : Math.max(0, roomOn(request, target));
      return {
        zone: Math.max(0, zoneNames.indexOf(zones?.get(name) ?? '')),
        minNodes: 0,
        maxNodes: Math.min(moved, room),
        masterSeats: 0,
        replicaSeats: 0,
      };
    }),
    zoneCount: zoneNames.length,
    shards: layout.shards.map((shard) => {
      const kept = membersKept(request, shard);
      const on = (nodes: readonly LayoutNode[]) => nodes.map((node) => hosts.indexOf(node.host));
      if (!keepRoles) return { master: undefined, replicas: [], undecided: on(kept) };
      return {
        master: on(kept.filter((node) => node.preferredRole === 'master'))[0],
        replicas: on(kept.filter((node) => node.preferredRole === 'replica')),
        undecided: [],
      };
    }),
    replicas: layout.nodes.length / layout.shards.length - 1,
    allowSameHost: layout.allowSameHost,
    allowWeakQuorum: layout.allowWeakQuorum,
  };
}

function membersKept({ layout, change }: HostChangeRequest, shard: LayoutShard): LayoutNode[] {
  return layout.nodes.filter((node) => node.shard === shard.id && node.host !== change.host);
}

interface Placed {
  readonly places: readonly ShardPlaces[];
  readonly hosts: readonly string[];
  readonly targets: readonly Host[];
}

/** Which node goes where: the places of its shard that no node has that stays. */
function choose(
  request: HostChangeRequest,
  { places, hosts, targets }: Placed,
): ReadonlyMap<LayoutNode, Host> {
  const { layout, change } = request;
  const free = layout.shards.map((shard, index) => {
    const { master = -1, replicas = [] } = places[index] ?? {};
    const open = [master, ...replicas];
    for (const node of membersKept(request, shard)) {
      // From the end, so that the master's place is left to a master.
      open.splice(open.lastIndexOf(hosts.indexOf(node.host)), 1);
    }
    return open;
  });
  const chosen = new Map<LayoutNode, Host>();
  for (const node of mastersFirst(nodesOn(layout, change.host))) {
    const shard = layout.shards.findIndex(({ id }) => id === node.shard);
    const name = hosts[free[shard]?.shift() ?? -1];
    const target = targets.find((host) => host.name === name);
    if (target !== undefined) chosen.set(node, target);
  }
  return chosen;
}

/** Undefined when a host has no free port for a node. */
function bind(
  request: HostChangeRequest,
  chosen: ReadonlyMap<LayoutNode, Host>,
): Layout | undefined {
  const { layout, change } = request;
  const ports = new FreePorts(request);
  const placed = new Map<LayoutNode, LayoutNode>();
  // Ports that can be kept are not to be taken by nodes that need another one.
  for (const keep of [true, false]) {
    for (const [node, target] of chosen) {
      if (placed.has(node) || (keep && !ports.isFree(target, node.port))) continue;
      const port = keep ? node.port : ports.findFree(target);
      if (port === undefined) return undefined;
      ports.take(target, port);
      placed.set(node, at(node, target, port));
    }
  }
  if (placed.size < nodesOn(layout, change.host).length) return undefined;
  return {
    ...layout,
    nodes: layout.nodes.map((node) => placed.get(node) ?? node),
    drainedHosts: layout.drainedHosts.filter((name) => name !== change.host),
  };
}

function at(node: LayoutNode, { name, address }: Host, port: number): LayoutNode {
  const busPort = busPortOf(port);
  return { ...node, key: nodeKey(name, port), host: name, address, port, busPort };
}

function mastersFirst(nodes: readonly LayoutNode[]): LayoutNode[] {
  const masters = nodes.filter((node) => node.preferredRole === 'master');
  return [...masters, ...nodes.filter((node) => node.preferredRole !== 'master')];
}
