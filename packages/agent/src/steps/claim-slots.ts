/**
 * `claimSlots`: config epoch and slots of a master, before it knows any other node (the epoch command
 * is refused afterwards: Redis command page CLUSTER SET-CONFIG-EPOCH).
 */
import { listSlots, RedroverError, type ClaimSlotsStep, type SlotRange } from '@redrover/core';
import { readOwnView, type OwnView } from './own-view.ts';
import type { RedisCommand } from '../redis/node-connection.ts';
import type { HostContext, StepEffect } from './step-context.ts';

/** ADDSLOTS takes single slots (ADDSLOTSRANGE came with 7.0): some 5 KB a command. */
const SLOTS_PER_COMMAND = 1_000;

export async function claimSlots(
  { nodes }: HostContext,
  step: ClaimSlotsStep,
): Promise<StepEffect> {
  const { node: key, configEpoch } = step;
  const { connection } = nodes.get(key);
  const own = await readOwnView(connection, key);
  if (own.myself.masterId !== '') {
    throw new RedroverError('failed-precondition', `${key} is a replica and cannot own slots`);
  }
  const missing = missingSlots(step.slots, own, key);
  const commands: RedisCommand[] = [];
  if (configEpoch > 0 && own.view.nodes.length === 1 && own.myself.configEpoch === 0) {
    commands.push(['CLUSTER', 'SET-CONFIG-EPOCH', configEpoch]);
  }
  for (let start = 0; start < missing.length; start += SLOTS_PER_COMMAND) {
    commands.push(['CLUSTER', 'ADDSLOTS', ...missing.slice(start, start + SLOTS_PER_COMMAND)]);
  }
  const replies = commands.length === 0 ? [] : await connection.pipeline(commands);
  const refused = replies.find((reply) => reply instanceof RedroverError);
  if (refused !== undefined) throw refused;
  return { touched: [key], message: missing.length === 0 ? '' : `claimed ${missing.length} slots` };
}

/** @throws RedroverError `failed-precondition` when another node owns one of them. */
function missingSlots(ranges: readonly SlotRange[], { myself, view }: OwnView, key: string) {
  const owners = new Map<number, string>();
  for (const node of view.nodes) {
    for (const slot of listSlots(node.slots)) owners.set(slot, node.nodeId);
  }
  const wanted = listSlots(ranges);
  const busy = wanted.filter((slot) => (owners.get(slot) ?? myself.nodeId) !== myself.nodeId);
  const [first] = busy;
  if (first !== undefined) {
    const owner = view.nodes.find((node) => node.nodeId === owners.get(first));
    throw new RedroverError(
      'failed-precondition',
      `${key} cannot claim slot ${first}${busy.length > 1 ? ` and ${busy.length - 1} more` : ''}: ` +
        `${owner?.address ?? ''}:${owner?.port ?? ''} owns it; plan again`,
    );
  }
  return wanted.filter((slot) => !owners.has(slot));
}
