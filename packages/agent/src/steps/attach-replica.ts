/** `attachReplica`: CLUSTER REPLICATE, on an empty node that owns no slot. */
import { RedroverError, type AttachReplicaStep } from '@redrover/core';
import { readInfo } from '@redrover/core';
import { readOwnView } from './own-view.ts';
import type { HostContext, StepEffect } from './step-context.ts';

export async function attachReplica(
  { nodes }: HostContext,
  { node: key, master, masterNodeId }: AttachReplicaStep,
): Promise<StepEffect> {
  const { connection } = nodes.get(key);
  const { myself, view } = await readOwnView(connection, key);
  if (myself.masterId === masterNodeId) return { touched: [key], message: '' };
  if (myself.slots.length > 0) {
    throw new RedroverError(
      'failed-precondition',
      `${key} owns slots, so it cannot become a replica of ${master}; plan again`,
    );
  }
  const target = view.nodes.find((node) => node.nodeId === masterNodeId);
  if (target === undefined || target.flags.includes('handshake')) {
    throw new RedroverError('unavailable', `${key} does not know ${master} (${masterNodeId}) yet`);
  }
  if (target.masterId !== '') {
    throw new RedroverError('failed-precondition', `${master} is a replica itself; plan again`);
  }
  // A replica drops its own keys for its master's; one that follows another master has none of its
  // own to lose.
  const { keys } = readInfo(await connection.text(['INFO', 'keyspace']));
  if (keys > 0 && myself.masterId === '') {
    throw new RedroverError(
      'data-loss',
      `${key} holds ${keys} keys, which it would drop as a replica of ${master}; look at them, ` +
        'then empty it by hand (FLUSHALL) if nobody needs them',
    );
  }
  await connection.call(['CLUSTER', 'REPLICATE', masterNodeId]);
  return { touched: [key], message: `replicates ${master}` };
}
