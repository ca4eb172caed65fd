/** Says in a few words what another spec asks of a cluster: the reason of its operation. */
import type { ClusterSpec } from '../../model/spec.ts';

/** For example `scale to 4 shards with 2 replicas each`; empty when the size stays. */
export function describeSpecChange(before: ClusterSpec, after: ClusterSpec): string {
  const shards = `${after.shards} ${noun('shard', after.shards)}`;
  const replicas = `${after.replicas} ${noun('replica', after.replicas)}`;
  const otherShards = before.shards !== after.shards;
  const otherReplicas = before.replicas !== after.replicas;
  if (otherShards && otherReplicas) return `scale to ${shards} with ${replicas} each`;
  if (otherShards) return `scale to ${shards}`;
  return otherReplicas ? `scale to ${replicas} a shard` : '';
}

function noun(word: string, count: number): string {
  return count === 1 ? word : `${word}s`;
}
