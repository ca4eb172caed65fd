/**
 * `forgetNodes`: CLUSTER FORGET of ids that own nothing; one that is not known any more is done. That it
 * reaches every node within a minute is the planner's business.
 */
import { RedroverError, type ForgetNodesStep, type ViewNode } from '@redrover/core';
import { readOwnView, type OwnView } from './own-view.ts';
import type { HostContext, StepEffect } from './step-context.ts';

export async function forgetNodes(
  { nodes }: HostContext,
  step: ForgetNodesStep,
): Promise<StepEffect> {
  const { node: key } = step;
  const { connection } = nodes.get(key);
  const own = await readOwnView(connection, key);
  const known = knownOf(step, own);
  // All of them before the first: a refused step has changed nothing.
  for (const node of known) requireForgettable(node, step, own);
  if (known.length === 0) return { touched: [key], message: 'knows none of them any more' };
  const replies = await connection.pipeline(
    known.map(({ nodeId }) => ['CLUSTER', 'FORGET', nodeId]),
  );
  const refused = replies.find((reply) => reply instanceof RedroverError);
  if (refused !== undefined) {
    // Another FORGET, which newer releases pass on by themselves, may have come first.
    const left = knownOf(step, await readOwnView(connection, key));
    if (left.length > 0) throw refused;
  }
  return { touched: [key], message: `forgot ${known.length}` };
}

function knownOf({ nodeIds }: ForgetNodesStep, { view }: OwnView): ViewNode[] {
  return view.nodes.filter((node) => nodeIds.includes(node.nodeId));
}

function requireForgettable(
  { nodeId, slots, address, port }: ViewNode,
  { node: key, nodeIds }: ForgetNodesStep,
  { myself, view }: OwnView,
): void {
  const what = `${key} cannot forget ${nodeId} (${address}:${port})`;
  if (nodeId === myself.nodeId) {
    throw new RedroverError('failed-precondition', `${what}: that is itself; plan again`);
  }
  if (slots.length > 0) {
    throw new RedroverError(
      'data-loss',
      `${what}: it owns slots in the view of ${key}; plan again`,
    );
  }
  const follower = view.nodes.find(
    (node) => node.masterId === nodeId && !nodeIds.includes(node.nodeId) && !isFailed(node),
  );
  if (follower !== undefined) {
    const who =
      follower === myself ? 'it follows that node' : `${follower.nodeId} follows that node`;
    throw new RedroverError('failed-precondition', `${what}: ${who}; plan again`);
  }
}

/**
 * A follower that is down is remembered as one for as long as it is: the node that is gone must not
 * stay known until then. Once back, it finds another owner of its slots, and follows that one.
 */
function isFailed({ flags }: ViewNode): boolean {
  return flags.includes('fail');
}
