/** `prepareNode`: directory, marker and config of a node, ready to be started. */
import { RedroverError, type PrepareNodeStep } from '@redrover/core';
import { prepareNode } from '../nodes/prepare-node.ts';
import type { HostContext, StepEffect, StepRun } from './step-context.ts';

export async function prepareNodeStep(
  { host, paths, nodes, builder, launcher, user }: HostContext,
  { plan }: PrepareNodeStep,
  { password, signal }: StepRun,
): Promise<StepEffect> {
  const { key } = plan.node;
  if (password === undefined || password === '') {
    throw new RedroverError('invalid-argument', `preparing ${key}: no password was sent with it`);
  }
  const found = await builder.find(plan.release);
  if (found === undefined) {
    throw new RedroverError(
      'failed-precondition',
      `preparing ${key}: ${host} has no build of ${plan.release} yet; build or fetch it first`,
    );
  }
  const known = nodes.find(key);
  const running = known?.supervisor.process !== undefined;
  const { record, changed, isAnew } = await prepareNode({
    host,
    plan,
    password,
    build: { id: found.build.id, server: found.serverBinary },
    paths,
    launcher,
    user,
    record: known?.record,
    running,
    signal,
  });
  await nodes.put(record, { isAnew });
  const pending = running && changed ? '; in force after its next restart' : '';
  return { touched: [key], message: changed ? `config accepted${pending}` : 'nothing to change' };
}
