/**
 * Gives an assignment its names: shards, hosts and ports.
 *
 * Free nodes get the lowest free ports, masters first, shard by shard; pinned ones their own.
 */
import type { ClusterSpec, NodeRole, PinnedNode } from '../model/spec.ts';
import type { Host } from '../model/host.ts';
import { allocatePorts } from './allocate-ports.ts';
import type { Assignment, ShardPlaces } from './placement-problem.ts';

export interface BoundNode {
  readonly host: string;
  readonly port: number;
  /** From 1. */
  readonly shard: number;
  readonly role: NodeRole;
}

export interface WantedNode {
  readonly host: string;
  readonly shard: number;
  readonly role: NodeRole;
}

/** Undefined when a host has fewer free ports than nodes. */
export function bindFree(
  spec: ClusterSpec,
  assignment: Assignment,
  hosts: readonly Host[],
): BoundNode[] | undefined {
  const wanted = wantedNodes(
    roundRobin(assignment),
    hosts.map((host) => host.name),
  );
  const ports = new Map<string, number[]>();
  // By address: hosts that were by mistake enrolled with the same one share its ports.
  for (const { address } of hosts) {
    const sharing = hosts.filter((host) => host.address === address);
    const names = new Set(sharing.map((host) => host.name));
    ports.set(
      address,
      allocatePorts({
        basePort: spec.placement.basePort,
        count: wanted.filter((node) => names.has(node.host)).length,
        usedPorts: sharing.flatMap((host) => host.usedPorts),
      }),
    );
  }
  const addresses = new Map(hosts.map((host) => [host.name, host.address]));
  const bound = mastersFirst(wanted).map((node) => ({
    ...node,
    port: ports.get(addresses.get(node.host) ?? '')?.shift() ?? 0,
  }));
  return bound.some((node) => node.port === 0) ? undefined : bound;
}

/**
 * Every pinned node takes the shard and role that the assignment has for its host; undefined when
 * the two do not match.
 */
export function bindPinned(
  spec: ClusterSpec,
  assignment: Assignment,
  hosts: readonly string[],
): BoundNode[] | undefined {
  // Shards that nothing is pinned to may be numbered as is natural.
  const open = spec.nodes.every((node) => node.shard === undefined);
  const places = open ? roundRobin(assignment) : assignment;
  const wanted = mastersFirst(wantedNodes(places, hosts));
  const matched = matchPins(spec.nodes, wanted);
  if (matched === undefined || wanted.length !== spec.nodes.length) return undefined;
  return wanted.map((node, index) => ({ ...node, port: matched[index]?.port ?? 0 }));
}

/**
 * A pinned node for each wanted one. The best fit is taken; only where that leaves another without
 * a node, earlier ones give way along an augmenting path.
 */
export function matchPins(
  pins: readonly PinnedNode[],
  wanted: readonly WantedNode[],
): PinnedNode[] | undefined {
  const byHost = Map.groupBy(pins, (pin) => pin.host);
  const takenBy = new Map<PinnedNode, number>();
  const assign = (index: number, tried: Set<PinnedNode>): boolean => {
    const node = wanted[index];
    if (node === undefined) return false;
    const fitting = (byHost.get(node.host) ?? []).filter((pin) => fits(pin, node));
    const ranked = fitting.sort((a, b) => rank(a, node) - rank(b, node));
    const free = ranked.find((pin) => !takenBy.has(pin));
    for (const pin of free === undefined ? ranked : [free]) {
      if (tried.has(pin)) continue;
      tried.add(pin);
      const holder = takenBy.get(pin);
      if (holder !== undefined && !assign(holder, tried)) continue;
      takenBy.set(pin, index);
      return true;
    }
    return false;
  };
  if (!wanted.every((_, index) => assign(index, new Set()))) return undefined;
  const pinOf = new Map([...takenBy].map(([pin, index]) => [index, pin]));
  return wanted.flatMap((_, index) => pinOf.get(index) ?? []);
}

/** Numbers the shards so that neighbours have their masters on different hosts. */
function roundRobin(assignment: Assignment): ShardPlaces[] {
  const seen = new Map<number, number>();
  const ranked = assignment.map((places) => {
    const turn = seen.get(places.master) ?? 0;
    seen.set(places.master, turn + 1);
    return { places, turn };
  });
  return ranked
    .sort((a, b) => a.turn - b.turn || a.places.master - b.places.master)
    .map(({ places }) => places);
}

function wantedNodes(places: readonly ShardPlaces[], hosts: readonly string[]): WantedNode[] {
  return places.flatMap(({ master, replicas }, index) => [
    { host: hosts[master] ?? '', shard: index + 1, role: 'master' as const },
    ...replicas.map((host) => ({
      host: hosts[host] ?? '',
      shard: index + 1,
      role: 'replica' as const,
    })),
  ]);
}

function mastersFirst(nodes: readonly WantedNode[]): WantedNode[] {
  const masters = nodes.filter((node) => node.role === 'master');
  return [...masters, ...nodes.filter((node) => node.role !== 'master')];
}

function fits(node: PinnedNode, wanted: WantedNode): boolean {
  return (
    node.host === wanted.host &&
    (node.shard ?? wanted.shard) === wanted.shard &&
    (node.role ?? wanted.role) === wanted.role
  );
}

/** Nodes that fit nowhere else go first: those of the shard, then those of the role. */
function rank(node: PinnedNode, wanted: WantedNode): number {
  return (node.shard === wanted.shard ? 0 : 2) + (node.role === wanted.role ? 0 : 1);
}
