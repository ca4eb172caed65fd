/** `verifyWrite`: writes, reads back and removes a key of the master's own slots. */
import { randomUUID } from 'node:crypto';
import { RedroverError, type VerifyWriteStep } from '@redrover/core';
import { replyCodeOf } from '../redis/errors.ts';
import { findTag } from './key-slot.ts';
import { readOwnView } from './own-view.ts';
import type { HostContext, StepEffect } from './step-context.ts';

/** If the DEL is lost, the key goes by itself. */
const TTL_SECONDS = 30;

/** States of a cluster that settles: trying again is the planner's. */
const SETTLING = new Set(['CLUSTERDOWN', 'READONLY', 'MOVED', 'ASK', 'TRYAGAIN', 'LOADING']);

export async function verifyWrite(
  { nodes }: HostContext,
  { node: key }: VerifyWriteStep,
): Promise<StepEffect> {
  const { connection } = nodes.get(key);
  const { myself } = await readOwnView(connection, key);
  const tag = findTag(myself.slots);
  if (tag === undefined) {
    throw new RedroverError('failed-precondition', `${key} owns no slot, so it takes no writes`);
  }
  const name = `redrover:verify:{${tag}}:${randomUUID()}`;
  const value = randomUUID();
  try {
    await connection.call(['SET', name, value, 'EX', TTL_SECONDS]);
    const found = await connection.text(['GET', name]);
    await connection.call(['DEL', name]);
    if (found !== value) {
      throw new RedroverError('internal', `${key} acknowledged a write and did not return it`);
    }
  } catch (thrown) {
    if (!SETTLING.has(replyCodeOf(thrown) ?? '')) throw thrown;
    const { message } = RedroverError.from(thrown);
    throw new RedroverError('unavailable', message, { cause: thrown });
  }
  return { touched: [key], message: 'wrote, read back and removed a key' };
}
