/**
 * Completes what stays of a cluster to the size that is asked for: nodes that stay are where they
 * are, and those that are missing are placed by the rules and the objective of any layout.
 *
 * What stays is decided in `choose-kept.ts`; whether the result is fit by `lintLayout`.
 */
import { busPortOf, nodeKey, type Layout, type LayoutNode } from '../../model/layout.ts';
import type { NodeRole, PinnedNode } from '../../model/spec.ts';
import { matchPins } from '../bind-assignment.ts';
import { FreePorts } from '../free-ports.ts';
import { rearrangeRoles } from '../host-change/rearrange-roles.ts';
import { describeQuality, type LayoutQuality } from '../layout-quality.ts';
import type { Assignment } from '../placement-problem.ts';
import { solvePlacement, solveRoughly } from '../solve-placement.ts';
import { buildGrowth, type GrowthOptions } from './build-growth.ts';
import { nextSlots } from './next-slots.ts';
import { newPins } from './pinned-nodes.ts';
import { newShardIds, portsInUse, type Kept, type ScaleRequest } from './scale-request.ts';

export interface CompletionOptions extends GrowthOptions {
  /** `rough`: does not search through everything; for many tries. */
  readonly effort: 'full' | 'rough';
  /** Nodes of shards that stay that may leave their place for another; they are not in `Kept`. */
  readonly freed: readonly LayoutNode[];
}

export interface Completed {
  /** Breaks rules where no layout was found that keeps them. */
  readonly layout: Layout;
  /** Undefined when nothing had to be placed. */
  readonly quality: LayoutQuality | undefined;
}

/** Undefined when there is no room at all, or by rough effort none with all rules kept. */
export function completeLayout(
  request: ScaleRequest,
  kept: Kept,
  options: CompletionOptions,
): Completed | undefined {
  const growth = buildGrowth(request, kept, options);
  const shardIds = shardIdsOf(request, kept);
  const finish = (nodes: readonly LayoutNode[]) =>
    withRoles(request, toLayout(request, { kept, shardIds, nodes }), options);
  if (growth.missing === 0) {
    return { layout: finish(kept.nodes), quality: undefined };
  }
  const solve = options.effort === 'full' ? solvePlacement : solveRoughly;
  const solution = solve(growth.problem);
  const nearest = options.effort === 'full' && !solution.ok ? solution.nearest : undefined;
  const places = solution.ok ? solution.assignment : nearest;
  if (places === undefined) return undefined;
  const members = membersOf(kept, { places, shardIds, hosts: growth.hosts });
  const bound = bind(request, members, { kept, freed: options.freed });
  if (bound === undefined) return undefined;
  return {
    layout: finish(bound),
    quality: solution.ok ? describeQuality(solution) : undefined,
  };
}

function shardIdsOf({ spec, usedShardIds, current }: ScaleRequest, kept: Kept): string[] {
  const used = [...usedShardIds, ...current.shards.map(({ id }) => id)];
  return [
    ...kept.shards.map(({ id }) => id),
    ...newShardIds(used, spec.shards - kept.shards.length),
  ];
}

/** A member of a shard, and the node that it is, if that is there. */
interface Member {
  readonly shard: string;
  readonly host: string;
  readonly role: NodeRole;
  readonly node: LayoutNode | undefined;
}

/** Roles are those of the places; nodes that stay take the one that they have if they can. */
function membersOf(
  kept: Kept,
  options: {
    readonly places: Assignment;
    readonly shardIds: readonly string[];
    readonly hosts: readonly string[];
  },
): Member[] {
  const { places, shardIds, hosts } = options;
  return shardIds.flatMap((shard, index) => {
    const { master = -1, replicas = [] } = places[index] ?? {};
    const open: { host: string; role: NodeRole }[] = [
      { host: hosts[master] ?? '', role: 'master' },
      ...replicas.map((host) => ({ host: hosts[host] ?? '', role: 'replica' as const })),
    ];
    const staying = kept.nodes
      .filter((node) => node.shard === shard)
      .map((node) => {
        const here = open.filter(({ host }) => host === node.host);
        const place = here.find(({ role }) => role === node.preferredRole) ?? here[0];
        if (place !== undefined) open.splice(open.indexOf(place), 1);
        return { shard, host: node.host, role: place?.role ?? node.preferredRole, node };
      });
    return [...staying, ...open.map((place) => ({ shard, ...place, node: undefined }))];
  });
}

/** Undefined when there is no port for a node, or no pinned node for a place. */
function bind(
  request: ScaleRequest,
  members: readonly Member[],
  { kept, freed }: { readonly kept: Kept; readonly freed: readonly LayoutNode[] },
): LayoutNode[] | undefined {
  const { spec } = request;
  const ports = new FreePorts(portsInUse(request));
  const byName = new Map(request.hosts.map((host) => [host.name, host]));
  const added = mastersFirst(members.filter(({ node }) => node === undefined));
  const pins = spec.nodes.length > 0 ? pinsFor(request, { kept, members, added }) : [];
  if (pins === undefined) return undefined;
  const origins = originsOf(added, freed);
  const nodes = new Map<Member, LayoutNode>();
  for (const [index, member] of added.entries()) {
    const host = byName.get(member.host);
    const origin = origins.get(member);
    if (host === undefined) return undefined;
    if (origin?.host === member.host) {
      nodes.set(member, { ...origin, preferredRole: member.role });
      continue;
    }
    const keep = origin !== undefined && ports.isFree(host, origin.port);
    const port = pins[index]?.port ?? (keep ? origin.port : ports.findFree(host));
    if (port === undefined) return undefined;
    ports.take(host, port);
    nodes.set(member, newNode(member, { port, address: host.address }));
  }
  return inOrder(request, { members, nodes, origins });
}

/** Which freed node takes which place of its shard: its own if that is still there. */
function originsOf(
  added: readonly Member[],
  freed: readonly LayoutNode[],
): ReadonlyMap<Member, LayoutNode> {
  const origins = new Map<Member, LayoutNode>();
  for (const own of [true, false]) {
    for (const node of freed) {
      if ([...origins.values()].includes(node)) continue;
      const member = added.find(
        (each) =>
          each.shard === node.shard && !origins.has(each) && (!own || each.host === node.host),
      );
      if (member !== undefined) origins.set(member, node);
    }
  }
  return origins;
}

function pinsFor(
  { spec }: ScaleRequest,
  options: {
    readonly kept: Kept;
    readonly members: readonly Member[];
    readonly added: readonly Member[];
  },
): PinnedNode[] | undefined {
  const { kept, members, added } = options;
  const shards = [...new Set(members.map(({ shard }) => shard))];
  const wanted = added.map((member) => ({ ...member, shard: shards.indexOf(member.shard) + 1 }));
  return matchPins(newPins(spec, kept), wanted);
}

function newNode(
  { host, shard, role }: Member,
  { port, address }: { readonly port: number; readonly address: string },
): LayoutNode {
  return {
    key: nodeKey(host, port),
    host,
    address,
    port,
    busPort: busPortOf(port),
    shard,
    preferredRole: role,
    configEpoch: 0,
  };
}

/** As in the layout in force, moved nodes in their old position, new ones after their shard's. */
function inOrder(
  { current }: ScaleRequest,
  placed: {
    readonly members: readonly Member[];
    readonly nodes: ReadonlyMap<Member, LayoutNode>;
    readonly origins: ReadonlyMap<Member, LayoutNode>;
  },
): LayoutNode[] {
  const { members, nodes, origins } = placed;
  const shards = [...new Set(members.map(({ shard }) => shard))];
  const positionOf = (member: Member) => {
    const position = current.nodes.indexOf(member.node ?? origins.get(member) ?? NO_NODE);
    return position < 0 ? current.nodes.length : position;
  };
  return members
    .toSorted(
      (a, b) =>
        shards.indexOf(a.shard) - shards.indexOf(b.shard) ||
        positionOf(a) - positionOf(b) ||
        Number(a.role !== 'master') - Number(b.role !== 'master'),
    )
    .flatMap((member) => {
      const node = member.node ?? nodes.get(member);
      return node === undefined ? [] : [{ ...node, preferredRole: member.role }];
    });
}

function toLayout(
  request: ScaleRequest,
  what: {
    readonly kept: Kept;
    readonly shardIds: readonly string[];
    readonly nodes: readonly LayoutNode[];
  },
): Layout {
  const { spec, current } = request;
  const hosts = new Set(what.nodes.map(({ host }) => host));
  return {
    ...current,
    number: request.number,
    release: spec.release,
    shards: nextSlots(current, what.shardIds, request.ownedSlots),
    nodes: withEpochs(current, what.nodes),
    maxmemoryBytes: spec.maxmemoryBytes,
    nodeTimeoutMs: spec.nodeTimeoutMs,
    config: spec.config,
    zoneLabel: spec.placement.zoneLabel,
    allowSameHost: spec.placement.allowSameHost,
    allowWeakQuorum: spec.placement.allowWeakQuorum,
    drainedHosts: current.drainedHosts.filter((name) => hosts.has(name)),
  };
}

/** Masters of new shards get epochs above all others; that of a shard goes with the role. */
function withEpochs(current: Layout, nodes: readonly LayoutNode[]): LayoutNode[] {
  const epochs = new Map<string, number>();
  for (const { shard, configEpoch } of current.nodes) {
    if (configEpoch > 0) epochs.set(shard, configEpoch);
  }
  let highest = Math.max(0, ...epochs.values());
  return nodes.map((node) => {
    if (node.preferredRole !== 'master') return { ...node, configEpoch: 0 };
    const configEpoch = epochs.get(node.shard) ?? (highest += 1);
    return { ...node, configEpoch };
  });
}

/**
 * Nodes that stay keep their role; where roles may change, the fewest do that keep the majority.
 * What the spec pins is kept as the places have it.
 */
function withRoles(request: ScaleRequest, layout: Layout, { roles }: CompletionOptions): Layout {
  const { current, spec, hosts } = request;
  if (roles === 'keep' || spec.nodes.length > 0 || spec.placement.allowWeakQuorum) return layout;
  const before = new Map(current.nodes.map((node) => [node.key, node.preferredRole]));
  const nodes = layout.nodes.map((node) => {
    const hadMaster = layout.nodes.some(
      (other) => other.shard === node.shard && before.get(other.key) === 'master',
    );
    if (!hadMaster) return node;
    return { ...node, preferredRole: before.get(node.key) ?? ('replica' as const) };
  });
  const asBefore = { ...layout, nodes: withEpochs(current, nodes) };
  return rearrangeRoles(asBefore, hosts) ?? layout;
}

function mastersFirst(members: readonly Member[]): Member[] {
  const masters = members.filter(({ role }) => role === 'master');
  return [...masters, ...members.filter(({ role }) => role !== 'master')];
}

/** No node of any layout. */
const NO_NODE: LayoutNode = {
  key: '',
  host: '',
  address: '',
  port: 0,
  busPort: 0,
  shard: '',
  preferredRole: 'replica',
  configEpoch: 0,
};
