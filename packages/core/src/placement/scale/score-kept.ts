/** How good what stays of a cluster is by itself, by the measures of any layout. */
import type { LayoutNode } from '../../model/layout.ts';
import { compareNames } from '../candidate-hosts.ts';
import { zonesOfHosts } from '../failure-zones.ts';
import type { PlacementProblem, ShardPlaces } from '../placement-problem.ts';
import type { Score } from '../score.ts';
import { Tally } from '../tally.ts';
import type { Kept, ScaleRequest } from './scale-request.ts';

type Setting = Pick<ScaleRequest, 'spec' | 'current' | 'hosts'>;

/** Of preferred roles. Hosts that lose all their nodes count: masters could be there. */
export function scoreKept(setting: Setting, { shards, nodes }: Kept): Score {
  const members = Map.groupBy(nodes, (node) => node.shard);
  const of = shards.map(({ id }) => members.get(id) ?? []);
  const replicas = Math.max(0, ...of.map((each) => each.length - 1));
  const tally = new KeptTally(setting, { nodes, shards: shards.length, replicas });
  for (const each of of) tally.add(each);
  return tally.score();
}

/** For many choices that differ in few shards. */
export class KeptTally {
  readonly #tally: Tally;
  readonly #hosts: ReadonlyMap<string, number>;

  /** `nodes`: all that may be added, beside those of the layout in force. */
  constructor(
    { spec, current, hosts }: Setting,
    size: {
      readonly nodes: readonly LayoutNode[];
      readonly shards: number;
      readonly replicas: number;
    },
  ) {
    const carrying = [...current.nodes, ...size.nodes].map((node) => node.host);
    const names = [...new Set(carrying)].sort(compareNames);
    const used = new Set(names);
    const known = hosts.filter(({ name }) => used.has(name));
    const zones =
      known.length < names.length ? undefined : zonesOfHosts(known, spec.placement.zoneLabel);
    const zoneNames = [...new Set(zones?.values())];
    const problem: PlacementProblem = {
      hosts: names.map((name) => ({
        zone: Math.max(0, zoneNames.indexOf(zones?.get(name) ?? '')),
        minNodes: 0,
        maxNodes: 0,
        masterSeats: 0,
        replicaSeats: 0,
      })),
      zoneCount: zoneNames.length,
      shards: Array.from({ length: size.shards }, () => NOTHING_FIXED),
      replicas: size.replicas,
      allowSameHost: spec.placement.allowSameHost,
      allowWeakQuorum: spec.placement.allowWeakQuorum,
    };
    this.#hosts = new Map(names.map((name, index) => [name, index]));
    this.#tally = new Tally(problem);
  }

  /** All members of one shard. */
  add(members: readonly LayoutNode[]): void {
    this.#tally.add(this.#placesOf(members));
  }

  remove(members: readonly LayoutNode[]): void {
    this.#tally.remove(this.#placesOf(members));
  }

  score(): Score {
    return this.#tally.score();
  }

  /** As if the members of one shard more were there. */
  scoreWith(members: readonly LayoutNode[]): Score {
    this.add(members);
    const score = this.score();
    this.remove(members);
    return score;
  }

  #placesOf(members: readonly LayoutNode[]): ShardPlaces {
    const on = (role: LayoutNode['preferredRole']) =>
      members
        .filter((node) => node.preferredRole === role)
        .map(({ host }) => this.#hosts.get(host) ?? 0);
    return { master: on('master')[0] ?? 0, replicas: on('replica') };
  }
}

const NOTHING_FIXED = { master: undefined, replicas: [], undecided: [] } as const;
