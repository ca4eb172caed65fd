/** `stopNode`: SHUTDOWN, SIGTERM, SIGKILL, each with a deadline. */
import type { StopNodeStep } from '@redrover/core';
import type { HostContext, StepEffect, StepRun } from './step-context.ts';

export async function stopNode(
  { nodes }: HostContext,
  { node: key }: StopNodeStep,
  { signal }: StepRun,
): Promise<StepEffect> {
  const node = nodes.find(key);
  // Gone with all its traces: what a stop is for.
  if (node === undefined) return { touched: [key], message: 'there is no such node' };
  const outcome = await node.supervisor.stop(signal);
  const message = outcome === undefined ? 'was not running' : `stopped by ${outcome.by}`;
  return { touched: [key], message };
}
