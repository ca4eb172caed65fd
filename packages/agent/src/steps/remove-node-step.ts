/** `removeNode`: the directory of a stopped node goes to the trash folder, or for good. */
import { RedroverError, type RemoveNodeStep } from '@redrover/core';
import { removeNodeDirectory, type Removal } from '../nodes/remove-node.ts';
import type { HostContext, StepEffect, StepRun } from './step-context.ts';

export async function removeNode(
  { nodes, paths, fences, now }: HostContext,
  { node: key, purge }: RemoveNodeStep,
  { onLine }: StepRun,
): Promise<StepEffect> {
  const node = nodes.find(key);
  if (node === undefined) return { touched: [key], message: 'there is no such node' };
  // One that somebody started by hand counts as well.
  if (node.supervisor.isUp || (await node.supervisor.adopt())) {
    throw new RedroverError('failed-precondition', `${key} is running; stop it first`);
  }
  const { port, clusterId, cluster } = node.record;
  if (purge) onLine(`deleting ${node.paths.directory}`);
  const removal = await removeNodeDirectory({
    paths,
    port,
    cluster,
    clusterId,
    purge,
    now: now(),
  });
  await nodes.forget(key);
  await fences.forgetNode(cluster, key);
  return { touched: [key], message: describe(removal) };
}

function describe(removal: Removal): string {
  switch (removal.kind) {
    case 'kept':
      return `kept as ${removal.path}`;
    case 'deleted':
      return 'deleted';
    case 'none':
      return 'its directory was gone already';
  }
}
