/** `forgetNodes`: CLUSTER FORGET of ids that own nothing; one that is not known any more is done. */
import { RedroverError, type ForgetNodesStep } from '@redrover/core';
import { readOwnView } from './own-view.ts';
import type { HostContext, StepEffect } from './step-context.ts';

export async function forgetNodes(
  { nodes }: HostContext,
  { node: key, nodeIds }: ForgetNodesStep,
): Promise<StepEffect> {
  const { connection } = nodes.get(key);
  const { myself, view } = await readOwnView(connection, key);
  const known = view.nodes.filter((node) => nodeIds.includes(node.nodeId));
  for (const { nodeId, slots, address, port } of known) {
    const what = `${key} cannot forget ${nodeId} (${address}:${port})`;
    if (nodeId === myself.nodeId) {
      throw new RedroverError('failed-precondition', `${what}: that is itself; plan again`);
    }
    if (nodeId === myself.masterId) {
      throw new RedroverError('failed-precondition', `${what}: it follows that node; plan again`);
    }
    if (slots.length > 0) {
      throw new RedroverError('data-loss', `${what}: it owns slots in the view of ${key}`);
    }
  }
  for (const { nodeId } of known) await connection.call(['CLUSTER', 'FORGET', nodeId]);
  const message = known.length === 0 ? 'knows none of them any more' : `forgot ${known.length}`;
  return { touched: [key], message };
}
