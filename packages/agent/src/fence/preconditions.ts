/** Checks on the live node, just before a step acts, that it is what the plan was made for. */
import { RedroverError, type StepPreconditions } from '@redrover/core';
import type { AgentNode } from '../supervise/agent-node.ts';

/** @throws RedroverError `fenced` on a mismatch, also when the node cannot be asked. */
export async function checkPreconditions(
  node: AgentNode,
  preconditions: StepPreconditions,
): Promise<void> {
  const { nodeId, role } = preconditions;
  if (nodeId === '' && role === '') return;
  const { key } = node.record;
  const { redis } = await node.observe({ fresh: false });
  if (redis === undefined) {
    throw new RedroverError(
      'fenced',
      `${key} does not answer, so it is not known whether it is what the plan was made for`,
    );
  }
  if (nodeId !== '' && redis.nodeId !== nodeId) {
    throw new RedroverError(
      'fenced',
      `${key} has node id ${redis.nodeId}, and the plan was made for ${nodeId}; plan again`,
    );
  }
  if (role !== '' && redis.role !== role) {
    throw new RedroverError(
      'fenced',
      `${key} is ${redis.role} now, and the plan was made for a ${role}; plan again`,
    );
  }
}
