/** The spec that the controller holds of a cluster, and whether an operation brings a given one about. */
import { formatSpec } from '@redrover/core';
import type { ClusterSpec, Operation } from '@redrover/core';
import { clusterSpecFromProto } from '@redrover/wire';

import type { Api } from '../connection/api.ts';
import { present } from '../render/present.ts';

/** Errors: `not-found`. */
export async function fetchSpec(api: Api, cluster: string): Promise<ClusterSpec> {
  const { spec } = await api.clusters.getCluster({ cluster });
  return clusterSpecFromProto(present(spec, 'spec'));
}

/** A change that was asked for in another way, such as a drain, does not, whatever the spec says. */
export async function bringsSpecAbout(
  api: Api,
  operation: Operation,
  spec: ClusterSpec,
): Promise<boolean> {
  const { kind, reason } = operation;
  const asksForSpec =
    kind === 'create' || (kind === 'change' && (reason === '' || /^scale\b/.test(reason)));
  return asksForSpec && sameSpec(await fetchSpec(api, spec.name), spec);
}

function sameSpec(a: ClusterSpec, b: ClusterSpec): boolean {
  return canonical(a) === canonical(b);
}

function canonical(spec: ClusterSpec): string {
  const config = Object.entries(spec.config).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify({ ...formatSpec(spec), config });
}
