/** The problem of placing what is missing of a cluster, with what stays of it fixed. */
import type { Host } from '../../model/host.ts';
import type { LayoutNode } from '../../model/layout.ts';
import type { PinnedNode } from '../../model/spec.ts';
import { compareNames } from '../candidate-hosts.ts';
import { zonesOfHosts } from '../failure-zones.ts';
import { FreePorts } from '../free-ports.ts';
import { memoryCapacity } from '../host-capacity.ts';
import type { PlacementProblem, ProblemHost, ProblemShard } from '../placement-problem.ts';
import { newPins, pinOf } from './pinned-nodes.ts';
import { portsInUse, type Kept, type ScaleRequest } from './scale-request.ts';

export interface Growth {
  readonly problem: PlacementProblem;
  /** Names of the problem's hosts. */
  readonly hosts: readonly string[];
  /** How many nodes are to be placed. */
  readonly missing: number;
}

export interface GrowthOptions {
  /** Hosts that may get nodes. */
  readonly pool: readonly Host[];
  /**
   * `keep`: nodes that stay have the role that they had. `any`: as many as possible keep theirs.
   */
  readonly roles: 'keep' | 'any';
}

export function buildGrowth(request: ScaleRequest, kept: Kept, options: GrowthOptions): Growth {
  const { spec } = request;
  const missing = spec.shards * (1 + spec.replicas) - kept.nodes.length;
  const pinned = spec.nodes.length > 0;
  const rooms = pinned ? new Map<string, number>() : roomsOf(request, kept, { options, missing });
  const pins = newPins(spec, kept);
  const names = [
    ...kept.nodes.map(({ host }) => host),
    ...[...rooms].filter(([, room]) => room > 0).map(([name]) => name),
    ...pins.map(({ host }) => host),
  ];
  const hosts = [...new Set(names)].sort(compareNames);
  const used = request.hosts.filter(({ name }) => hosts.includes(name));
  const zones =
    used.length < hosts.length ? undefined : zonesOfHosts(used, spec.placement.zoneLabel);
  const zoneNames = [...new Set(zones?.values())];
  return {
    hosts,
    missing,
    problem: {
      hosts: hosts.map((name): ProblemHost => {
        const zone = Math.max(0, zoneNames.indexOf(zones?.get(name) ?? ''));
        if (pinned) return { zone, ...pinnedSeats(pins, name) };
        const maxNodes = rooms.get(name) ?? 0;
        return { zone, minNodes: 0, maxNodes, masterSeats: 0, replicaSeats: 0 };
      }),
      zoneCount: zoneNames.length,
      shards: Array.from({ length: spec.shards }, (_, index) =>
        problemShard(request, kept, { index, hosts, pins, roles: options.roles }),
      ),
      replicas: spec.replicas,
      allowSameHost: spec.placement.allowSameHost,
      allowWeakQuorum: spec.placement.allowWeakQuorum,
    },
  };
}

/** How many nodes more the hosts can take, by name. */
function roomsOf(
  request: ScaleRequest,
  kept: Kept,
  { options, missing }: { readonly options: GrowthOptions; readonly missing: number },
): Map<string, number> {
  const ports = new FreePorts(portsInUse(request));
  return new Map(
    options.pool.map((host) => {
      const staying = kept.nodes.filter((node) => node.host === host.name).length;
      const memory = memoryCapacity(host, request.spec.maxmemoryBytes) - staying;
      return [host.name, Math.max(0, Math.min(memory, ports.countFree(host, missing)))];
    }),
  );
}

function problemShard(
  { spec }: ScaleRequest,
  kept: Kept,
  options: {
    readonly index: number;
    readonly hosts: readonly string[];
    readonly pins: readonly PinnedNode[];
    readonly roles: 'keep' | 'any';
  },
): ProblemShard {
  const { index, hosts, pins, roles } = options;
  const id = kept.shards[index]?.id;
  const members = kept.nodes.filter((node) => node.shard === id && id !== undefined);
  const wanted = members.map((node) => ({ node, role: pinOf(spec, node)?.role }));
  // Where the spec wants another role for one of them, the others cannot keep theirs either; nor
  // can they where it leaves out their master.
  const asTheyAre =
    roles === 'keep' &&
    (spec.nodes.length === 0 || members.some((node) => node.preferredRole === 'master')) &&
    wanted.every(({ node, role }) => (role ?? node.preferredRole) === node.preferredRole);
  const fixed = [
    ...wanted.map(({ node, role }) => ({
      host: node.host,
      role: asTheyAre ? node.preferredRole : role,
    })),
    ...pins.filter(({ shard }) => shard === index + 1),
  ];
  const on = (role: LayoutNode['preferredRole'] | undefined) =>
    fixed.filter((each) => each.role === role).map(({ host }) => hosts.indexOf(host));
  return { master: on('master')[0], replicas: on('replica'), undecided: on(undefined) };
}

/** Nodes of a host that are pinned to no shard. */
function pinnedSeats(pins: readonly PinnedNode[], host: string): Omit<ProblemHost, 'zone'> {
  const seats = pins.filter((pin) => pin.host === host && pin.shard === undefined);
  return {
    minNodes: seats.length,
    maxNodes: seats.length,
    masterSeats: seats.filter(({ role }) => role === 'master').length,
    replicaSeats: seats.filter(({ role }) => role === 'replica').length,
  };
}
