/** How good what stays of a cluster is by itself, by the measures of any layout. */
import type { LayoutNode } from '../../model/layout.ts';
import { compareNames } from '../candidate-hosts.ts';
import { zonesOfHosts } from '../failure-zones.ts';
import type { ShardPlaces } from '../placement-problem.ts';
import type { Score } from '../score.ts';
import { scoreOf } from '../tally.ts';
import type { Kept, ScaleRequest } from './scale-request.ts';

/** Of preferred roles. Hosts without nodes count: masters could be there. */
export function scoreKept({ spec, current, hosts }: ScaleRequest, kept: Kept): Score {
  const names = [...new Set(current.nodes.map((node) => node.host))].sort(compareNames);
  const known = hosts.filter(({ name }) => names.includes(name));
  const zones =
    known.length < names.length ? undefined : zonesOfHosts(known, spec.placement.zoneLabel);
  const zoneNames = [...new Set(zones?.values())];
  const places = kept.shards.map(({ id }) => placesOf(kept.nodes, id, names));
  return scoreOf(
    {
      hosts: names.map((name) => ({
        zone: Math.max(0, zoneNames.indexOf(zones?.get(name) ?? '')),
        minNodes: 0,
        maxNodes: 0,
        masterSeats: 0,
        replicaSeats: 0,
      })),
      zoneCount: zoneNames.length,
      shards: places.map(() => ({ master: undefined, replicas: [], undecided: [] })),
      replicas: Math.max(0, ...places.map(({ replicas }) => replicas.length)),
      allowSameHost: spec.placement.allowSameHost,
      allowWeakQuorum: spec.placement.allowWeakQuorum,
    },
    places,
  );
}

function placesOf(
  nodes: readonly LayoutNode[],
  shard: string,
  names: readonly string[],
): ShardPlaces {
  const members = nodes.filter((node) => node.shard === shard);
  const on = (role: LayoutNode['preferredRole']) =>
    members.filter((node) => node.preferredRole === role).map(({ host }) => names.indexOf(host));
  return { master: on('master')[0] ?? 0, replicas: on('replica') };
}
