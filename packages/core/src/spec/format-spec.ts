/** Shows a spec in the form that `parse-spec.ts` reads: the two are inverse. */
import type { ClusterSpec } from '../model/spec.ts';
import { formatMemorySize } from './memory-size.ts';

/** Plain data, ready for a YAML or JSON writer; what is not set is left out. */
export type SpecFields = Readonly<Record<string, unknown>>;

export function formatSpec(spec: ClusterSpec): SpecFields {
  const { placement } = spec;
  return withoutUndefined({
    name: spec.name,
    release: spec.release,
    shards: spec.shards,
    replicas: spec.replicas,
    maxmemory:
      spec.maxmemoryBytes === undefined ? undefined : formatMemorySize(spec.maxmemoryBytes),
    nodeTimeoutMs: spec.nodeTimeoutMs,
    repair: spec.repair,
    repairQuietMs: spec.repairQuietMs,
    placement: withoutUndefined({
      hosts: placement.hosts.length === 0 ? undefined : [...placement.hosts],
      basePort: placement.basePort,
      zoneLabel: placement.zoneLabel,
      allowSameHost: placement.allowSameHost || undefined,
      allowWeakQuorum: placement.allowWeakQuorum || undefined,
    }),
    nodes: spec.nodes.length === 0 ? undefined : spec.nodes.map((node) => withoutUndefined(node)),
    config: Object.keys(spec.config).length === 0 ? undefined : { ...spec.config },
  });
}

function withoutUndefined(fields: object): SpecFields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
