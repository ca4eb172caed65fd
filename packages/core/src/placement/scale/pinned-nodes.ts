/** Nodes that the spec of a cluster of another size pins: which of them are there already. */
import type { Finding } from '../../model/finding.ts';
import type { LayoutNode, LayoutShard } from '../../model/layout.ts';
import type { ClusterSpec, PinnedNode } from '../../model/spec.ts';
import { replicasOf, type Kept, type ScaleRequest } from './scale-request.ts';

export function pinOf(
  spec: ClusterSpec,
  node: Pick<LayoutNode, 'host' | 'port'>,
): PinnedNode | undefined {
  return spec.nodes.find((pin) => pin.host === node.host && pin.port === node.port);
}

/** Those that no node has that stays. */
export function newPins(spec: ClusterSpec, { nodes }: Kept): PinnedNode[] {
  return spec.nodes.filter(
    (pin) => !nodes.some((node) => node.host === pin.host && node.port === pin.port),
  );
}

export type KeptPins =
  | { readonly ok: true; readonly kept: Kept }
  | { readonly ok: false; readonly refusals: readonly Finding[] };

/**
 * Nodes that the list still has stay, the others go, and with the last of its nodes a shard. A
 * shard that stays must not lose nodes that it needs: nodes are not moved by a list.
 */
export function keepPinned({ spec, current }: ScaleRequest): KeptPins {
  const nodes = current.nodes.filter((node) => pinOf(spec, node) !== undefined);
  const shards = current.shards.filter(({ id }) => nodes.some((node) => node.shard === id));
  const members = 1 + Math.min(spec.replicas, replicasOf(current));
  const refusals = shards.flatMap((shard) => {
    const before = current.nodes.filter((node) => node.shard === shard.id);
    const staying = before.filter((node) => nodes.includes(node));
    if (staying.length === members) return [];
    return [refuseMembers(spec, { shard, before, staying, members })];
  });
  if (shards.length > spec.shards) refusals.push(refuseShards(spec, shards));
  return refusals.length > 0 ? { ok: false, refusals } : { ok: true, kept: { shards, nodes } };
}

function refuseMembers(
  spec: ClusterSpec,
  found: {
    readonly shard: LayoutShard;
    readonly before: readonly LayoutNode[];
    readonly staying: readonly LayoutNode[];
    readonly members: number;
  },
): Finding {
  const { shard, before, staying, members } = found;
  return {
    rule: 'change-not-supported',
    severity: 'critical',
    subject: spec.name,
    message:
      `The nodes of the spec leave shard ${shard.id} ${staying.length} of the ${members} members ` +
      'that it should keep; nodes are not moved by changing the list.',
    evidence: before.map(
      ({ key }) => `${key}${staying.some((node) => node.key === key) ? '' : ' is not listed'}`,
    ),
    remedy:
      `List ${members} of these nodes, or none of them to have the shard removed; a host's nodes ` +
      'are moved with redrover host drain --move.',
  };
}

function refuseShards(spec: ClusterSpec, shards: readonly LayoutShard[]): Finding {
  return {
    rule: 'change-not-supported',
    severity: 'critical',
    subject: spec.name,
    message:
      `The spec asks for ${spec.shards} shards, and its nodes are of ` +
      `${shards.length} that exist.`,
    evidence: shards.map(({ id }) => id),
    remedy: 'Leave out all nodes of each shard that is to be removed.',
  };
}
