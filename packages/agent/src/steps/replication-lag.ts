/** How far a replica is behind its master, as far as the replica itself can know. */
import { RedroverError } from '@redrover/core';
import type { NodeConnection } from '../redis/node-connection.ts';

/**
 * The offset that the master last told the cluster of (Redis command page CLUSTER SHARDS, "replication-offset"):
 * some seconds old, so that a replica in sync is ahead of it. Undefined before 7.0, which does not say.
 */
export async function readMasterOffset(
  connection: NodeConnection,
  masterNodeId: string,
): Promise<number | undefined> {
  const [reply] = await connection.pipeline([['CLUSTER', 'SHARDS']]);
  if (reply instanceof RedroverError) return undefined;
  return findOffset(reply, masterNodeId);
}

/** Looks through a reply of nested lists of names and values. */
export function findOffset(reply: unknown, nodeId: string): number | undefined {
  if (!Array.isArray(reply)) return undefined;
  if (fieldOf(reply, 'id') === nodeId) {
    const offset = Number(fieldOf(reply, 'replication-offset'));
    return Number.isFinite(offset) ? offset : undefined;
  }
  for (const part of reply) {
    const offset = findOffset(part, nodeId);
    if (offset !== undefined) return offset;
  }
  return undefined;
}

function fieldOf(list: readonly unknown[], name: string): unknown {
  const index = list.indexOf(name);
  return index === -1 ? undefined : list[index + 1];
}
