/**
 * `handoffMaster`: CLUSTER FAILOVER on a replica that is in sync, and no more than that.
 *
 * The master holds its clients until the replica has everything it acknowledged, so nothing is lost
 * (Redis command page CLUSTER FAILOVER, "Manual failover"). FORCE and TAKEOVER give that up, so
 * they are never sent.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { readInfo, RedroverError, type HandoffMasterStep } from '@redrover/core';
import type { NodeConnection } from '../redis/node-connection.ts';
import { readOwnView } from './own-view.ts';
import type { HostContext, StepEffect, StepRun } from './step-context.ts';

/** Redis gives up by itself after 5 s (cluster.c, CLUSTER_MF_TIMEOUT); a second for the election. */
const TAKEOVER_LIMIT_MS = 6_000;
/** Clients of the master are held meanwhile: it is worth being seen at once. */
const POLL_MS = 10;

export async function handoffMaster(
  { nodes }: HostContext,
  { node: key, master, masterNodeId }: HandoffMasterStep,
  { signal }: StepRun,
): Promise<StepEffect> {
  const { connection } = nodes.get(key);
  const { myself, view } = await readOwnView(connection, key);
  if (myself.masterId === '' && myself.slots.length > 0) {
    return { touched: [key], message: 'is master already' };
  }
  if (myself.masterId !== masterNodeId) {
    throw new RedroverError(
      'failed-precondition',
      `${key} does not follow ${master} (${masterNodeId}); plan again`,
    );
  }
  const entry = view.nodes.find((node) => node.nodeId === masterNodeId);
  const isFailing = entry?.flags.some((flag) => flag.startsWith('fail')) ?? true;
  if (isFailing) {
    throw new RedroverError('unavailable', `${key} sees its master ${master} as failing`);
  }
  await requireSync(connection, { key, master });
  const startTick = performance.now();
  await connection.call(['CLUSTER', 'FAILOVER']);
  while (!(await isMaster(connection, key))) {
    signal.throwIfAborted();
    if (performance.now() - startTick > TAKEOVER_LIMIT_MS) {
      throw new RedroverError(
        'deadline-exceeded',
        `${key} did not become master within ${TAKEOVER_LIMIT_MS / 1000} s; ${master} goes on ` +
          'serving, as Redis has given up the handoff by itself',
      );
    }
    await delay(POLL_MS);
  }
  const tookMs = Math.round(performance.now() - startTick);
  return { touched: [key], message: `took over from ${master} in ${tookMs} ms` };
}

async function requireSync(
  connection: NodeConnection,
  { key, master }: { readonly key: string; readonly master: string },
): Promise<void> {
  const info = readInfo(await connection.text(['INFO', 'replication']));
  if (info.masterLinkUp === true && !info.syncInProgress) return;
  throw new RedroverError('unavailable', `${key} is not in sync with ${master}`);
}

async function isMaster(connection: NodeConnection, key: string): Promise<boolean> {
  const { myself } = await readOwnView(connection, key);
  return myself.masterId === '' && myself.slots.length > 0;
}
