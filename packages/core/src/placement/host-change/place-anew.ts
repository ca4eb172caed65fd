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
import { allocatePorts } from '../allocate-ports.ts';
import { compareNames } from '../candidate-hosts.ts';
import { zonesOfHosts } from '../failure-zones.ts';
import { memoryCapacity } from '../host-capacity.ts';
import type { PlacementProblem, ShardPlaces } from '../placement-problem.ts';
import { solvePlacement } from '../solve-placement.ts';
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
  const hosts = problemHosts(request, targets);
  const sameRoles = solvePlacement(problemOf(request, { targets, hosts, keepRoles: true }));
  if (sameRoles.ok) return bind(request, { places: sameRoles.assignment, hosts, targets });
  const anyRoles = solvePlacement(problemOf(request, { targets, hosts, keepRoles: false }));
  const places = anyRoles.ok ? anyRoles.assignment : anyRoles.nearest;
  if (places === undefined) return undefined;
  const layout = bind(request, { places, hosts, targets });
  return layout === undefined ? undefined : (rearrangeRoles(layout, request.hosts) ?? layout);
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

/** Undefined when a host has no free port for a node. */
function bind(request: HostChangeRequest, { places, hosts, targets }: Placed): Layout | undefined {
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
  const ports = new FreePorts(request);
  const nodes: LayoutNode[] = [];
  for (const node of mastersFirst(nodesOn(layout, change.host))) {
    const shard = layout.shards.findIndex(({ id }) => id === node.shard);
    const name = hosts[free[shard]?.shift() ?? -1];
    const target = targets.find((host) => host.name === name);
    const port = target === undefined ? undefined : ports.take(target, node.port);
    if (target === undefined || port === undefined) return undefined;
    nodes.push({
      ...node,
      key: nodeKey(target.name, port),
      host: target.name,
      address: target.address,
      port,
      busPort: busPortOf(port),
    });
  }
  const moved = mastersFirst(nodesOn(layout, change.host)).map((node) => node.key);
  return {
    ...layout,
    nodes: layout.nodes.map((node) => nodes[moved.indexOf(node.key)] ?? node),
    drainedHosts: layout.drainedHosts.filter((name) => name !== change.host),
  };
}

function mastersFirst(nodes: readonly LayoutNode[]): LayoutNode[] {
  const masters = nodes.filter((node) => node.preferredRole === 'master');
  return [...masters, ...nodes.filter((node) => node.preferredRole !== 'master')];
}

/** By address, as hosts that were by mistake enrolled with the same one share its ports. */
class FreePorts {
  readonly #request: HostChangeRequest;
  readonly #taken = new Map<string, Set<number>>();

  constructor(request: HostChangeRequest) {
    this.#request = request;
  }

  /** The wanted port if it is free, else the lowest that is. */
  take(host: Host, wanted: number): number | undefined {
    const taken = this.#taken.get(host.address) ?? this.#findTaken(host);
    const { basePort } = this.#request.spec.placement;
    const isFree = !taken.has(wanted) && !taken.has(busPortOf(wanted));
    const [next] = allocatePorts({ basePort, count: 1, usedPorts: [...taken] });
    const port = isFree ? wanted : next;
    if (port !== undefined) taken.add(port).add(busPortOf(port));
    this.#taken.set(host.address, taken);
    return port;
  }

  #findTaken({ address }: Host): Set<number> {
    const { layout, hosts, observation } = this.#request;
    const sharing = hosts.filter((host) => host.address === address);
    const names = new Set(sharing.map((host) => host.name));
    // A node of an earlier layout keeps its port until it is removed.
    const present = Object.values(observation.nodes).filter(
      (node) => names.has(node.host) && node.process.state !== 'absent',
    );
    const nodes = [...layout.nodes.filter((node) => node.address === address), ...present];
    return new Set([
      ...sharing.flatMap((host) => host.usedPorts),
      ...nodes.flatMap(({ port }) => [port, busPortOf(port)]),
    ]);
  }
}
