/**
 * Which nodes go from hosts with too many to hosts with too few: as many as that needs and no more,
 * replicas before masters, and no two members of a shard together.
 */
import type { Host } from '../../model/host.ts';
import type { Layout, LayoutNode } from '../../model/layout.ts';
import { zonesKeepMembersApart, zonesOfHosts } from '../failure-zones.ts';
import { FlowNetwork } from '../flow-network.ts';
import { replicasOf } from '../scale/scale-request.ts';

export interface NodeMove {
  readonly node: LayoutNode;
  readonly to: Host;
}

/** What a host may carry. */
export interface HostLoad {
  readonly host: Host;
  /** Its nodes that may be moved. */
  readonly nodes: readonly LayoutNode[];
  readonly most: number;
}

export interface Spreading {
  readonly layout: Layout;
  /** All known hosts. */
  readonly hosts: readonly Host[];
  /** Of those that may give and take nodes. */
  readonly loads: readonly HostLoad[];
}

/**
 * How many nodes each host should have, with the least sum of squares: each next node to the host
 * with the fewest, of equal ones to that which has more now, so that the fewest are moved.
 */
export function evenCounts(loads: readonly HostLoad[]): number[] {
  const counts = loads.map(() => 0);
  const total = loads.reduce((sum, { nodes }) => sum + nodes.length, 0);
  const isThere = (index: number) =>
    Number((counts[index] ?? 0) < (loads[index]?.nodes.length ?? 0));
  for (let given = 0; given < total; given += 1) {
    const open = [...loads.keys()].filter((index) => (counts[index] ?? 0) < mostOn(loads[index]));
    const best = open.reduce((a, b) => {
      const difference = (counts[b] ?? 0) - (counts[a] ?? 0) || isThere(a) - isThere(b);
      return difference < 0 ? b : a;
    }, open[0] ?? 0);
    counts[best] = (counts[best] ?? 0) + 1;
  }
  return counts;
}

/** What is there already is not too much to stay. */
function mostOn(load: HostLoad | undefined): number {
  return Math.max(load?.most ?? 0, load?.nodes.length ?? 0);
}

/** The fewest moves for these counts, as far as members stay apart. */
export function chooseMoves(spreading: Spreading): NodeMove[] {
  const { layout, loads } = spreading;
  const counts = evenCounts(loads);
  const surplus = (index: number) => (loads[index]?.nodes.length ?? 0) - (counts[index] ?? 0);
  const takers = [...loads.keys()].filter((index) => surplus(index) < 0);
  const network = new MoveNetwork(spreading, takers);
  for (const [index] of loads.entries()) {
    if (surplus(index) > 0) network.addGiver(index, surplus(index));
    if (surplus(index) < 0) network.addTaker(index, -surplus(index));
  }
  for (const role of ['replica', 'master'] as const) {
    for (const [index] of loads.entries()) {
      if (surplus(index) > 0) network.addNodes(index, role);
    }
    network.fill(layout.nodes.length);
  }
  return network.moves();
}

/**
 * Source → givers → nodes → zones of their shard → takers → target. A zone takes one member of a
 * shard, and of which node that is, what flows to it tells. Where zones do not count, each taker is
 * a zone of its own.
 */
class MoveNetwork {
  readonly #spreading: Spreading;
  readonly #takers: readonly number[];
  readonly #flow: FlowNetwork;
  readonly #zones: ReadonlyMap<string, string> | undefined;
  readonly #members: ReadonlyMap<string, readonly LayoutNode[]>;
  readonly #vertices = new Map<string, number>();
  readonly #entries: { node: LayoutNode; zone: string; arc: number }[] = [];
  readonly #exits: { shard: string; zone: string; to: Host; arc: number }[] = [];

  constructor(spreading: Spreading, takers: readonly number[]) {
    const { layout, loads } = spreading;
    this.#spreading = spreading;
    this.#takers = takers;
    this.#zones = zonesApart(spreading);
    this.#members = Map.groupBy(layout.nodes, ({ shard }) => shard);
    this.#flow = new FlowNetwork(
      2 + loads.length + layout.nodes.length + 2 * layout.shards.length * takers.length,
    );
  }

  addGiver(giver: number, surplus: number): void {
    this.#flow.addArc(this.#vertex('source'), this.#vertex(`host ${giver}`), surplus);
  }

  /** Those of a giver with that role. */
  addNodes(giver: number, role: LayoutNode['preferredRole']): void {
    const from = this.#vertex(`host ${giver}`);
    const zones = new Set(this.#takers.map((taker) => this.#zoneOf(taker)));
    for (const node of this.#spreading.loads[giver]?.nodes ?? []) {
      if (node.preferredRole !== role) continue;
      const at = this.#vertex(`node ${node.key}`);
      this.#flow.addArc(from, at, 1);
      for (const zone of zones) {
        if (!this.#isApart(node, zone)) continue;
        const arc = this.#flow.addArc(at, this.#entryOf(node.shard, zone), 1);
        this.#entries.push({ node, zone, arc });
      }
    }
  }

  addTaker(taker: number, lack: number): void {
    const to = this.#vertex('target');
    this.#flow.addArc(this.#vertex(`host ${taker}`), to, lack);
  }

  fill(most: number): void {
    const [source, target] = [this.#vertex('source'), this.#vertex('target')];
    for (let pushed = 0; pushed < most; pushed += 1) {
      if (!this.#flow.pushUnit(source, target)) return;
    }
  }

  moves(): NodeMove[] {
    const used = this.#exits.filter(({ arc }) => this.#flow.flowOf(arc) > 0);
    return this.#entries
      .filter(({ arc }) => this.#flow.flowOf(arc) > 0)
      .flatMap(({ node, zone }) => {
        const exit = used.find((each) => each.shard === node.shard && each.zone === zone);
        return exit === undefined ? [] : [{ node, to: exit.to }];
      });
  }

  /** With all ways on from there, when it is new. */
  #entryOf(shard: string, zone: string): number {
    const name = `into ${zone} for ${shard}`;
    if (this.#vertices.has(name)) return this.#vertex(name);
    const entry = this.#vertex(name);
    const inside = this.#vertex(`in ${zone} for ${shard}`);
    this.#flow.addArc(entry, inside, 1);
    const members = this.#members.get(shard) ?? [];
    for (const taker of this.#takers) {
      const to = this.#spreading.loads[taker]?.host;
      if (to === undefined || this.#zoneOf(taker) !== zone) continue;
      if (members.some((node) => node.host === to.name)) continue;
      const arc = this.#flow.addArc(inside, this.#vertex(`host ${taker}`), 1);
      this.#exits.push({ shard, zone, to, arc });
    }
    return entry;
  }

  #zoneOf(taker: number): string {
    const name = this.#spreading.loads[taker]?.host.name ?? '';
    return this.#zones?.get(name) ?? name;
  }

  /** Whether no other member of the shard is in the zone. */
  #isApart(node: LayoutNode, zone: string): boolean {
    const members = this.#members.get(node.shard) ?? [];
    return members.every(
      (other) => other === node || (this.#zones?.get(other.host) ?? other.host) !== zone,
    );
  }

  #vertex(name: string): number {
    const vertex = this.#vertices.get(name) ?? this.#vertices.size;
    this.#vertices.set(name, vertex);
    return vertex;
  }
}

/** Undefined where members need not be in different zones. */
function zonesApart({ layout, hosts, loads }: Spreading): ReadonlyMap<string, string> | undefined {
  const names = new Set(
    [...layout.nodes, ...loads.map(({ host }) => ({ host: host.name }))].map(({ host }) => host),
  );
  const known = hosts.filter(({ name }) => names.has(name));
  const zones = known.length < names.size ? undefined : zonesOfHosts(known, layout.zoneLabel);
  const count = new Set(zones?.values()).size;
  return zonesKeepMembersApart(count, 1 + replicasOf(layout)) ? zones : undefined;
}
