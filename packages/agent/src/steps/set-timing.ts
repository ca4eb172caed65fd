/**
 * `setTiming`: node timeout and replica failover, in memory only. Never CONFIG REWRITE: a restart of
 * the node has to bring the rendered values back.
 */
import { RedroverError, type SetTimingStep } from '@redrover/core';
import type { HostContext, StepEffect } from './step-context.ts';

export async function setTiming(
  { nodes }: HostContext,
  { node: key, nodeTimeoutMs, replicaNoFailover }: SetTimingStep,
): Promise<StepEffect> {
  const { connection, record, timing } = nodes.get(key);
  const lowers = nodeTimeoutMs < record.plan.nodeTimeoutMs;
  if (lowers && !replicaNoFailover) {
    throw new RedroverError(
      'invalid-argument',
      `${key}: a node timeout of ${nodeTimeoutMs} ms is safe only while replicas do not fail over`,
    );
  }
  timing.renew();
  // Lowering: failover goes off first. Raising: the timeout goes up before failover comes back.
  const timeout = ['CONFIG', 'SET', 'cluster-node-timeout', nodeTimeoutMs] as const;
  const flag = replicaNoFailover ? 'yes' : 'no';
  const failover = ['CONFIG', 'SET', 'cluster-replica-no-failover', flag] as const;
  for (const command of lowers ? [failover, timeout] : [timeout, failover]) {
    await connection.call(command);
  }
  return { touched: [key], message: '' };
}
