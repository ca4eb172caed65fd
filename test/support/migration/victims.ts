/**
 * Whom a campaign kills, and how each comes back. Only processes of the test's own stack are touched, each by
 * its pid and start time.
 */
import { endProcess, identifyProcess, sendSignal } from '@redrover/cli';
import type { ProcessIdentity } from '@redrover/cli';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

import { until } from '../until.ts';
import type { MoveCluster, MoveNode } from './move-cluster.ts';
import { withNode } from './raw-nodes.ts';

const GONE_WITHIN_MS = 10_000;
const BACK_WITHIN_MS = 60_000;

/** Movers at work anywhere in the stack. */
export function findMovers(cluster: MoveCluster): ProcessIdentity[] {
  const { directory } = cluster.stack;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const argv = argvOf(name);
      const isMover = argv.some((word) => basename(word) === 'redrover-mover.mjs');
      const isOurs = isMover && argv.some((word) => word.startsWith(directory));
      return isOurs ? (identifyProcess(Number(name)) ?? []) : [];
    });
}

function argvOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    // It has ended between the two looks.
    return [];
  }
}

export async function killNow(identity: ProcessIdentity | undefined): Promise<void> {
  if (identity === undefined) return;
  await endProcess(identity, { signal: 'SIGKILL', graceMs: GONE_WITHIN_MS });
}

export async function killController({ stack }: MoveCluster): Promise<void> {
  await killNow(stack.stack.controllerProcess());
}

export async function killAgent({ stack }: MoveCluster, host: string): Promise<void> {
  await killNow(stack.stack.agentProcess(host));
}

/** The process that a node runs as now. Errors: when the node does not answer. */
export async function serverOf(cluster: MoveCluster, node: MoveNode): Promise<ProcessIdentity> {
  const info = await withNode(node, cluster.password, (client) => client.info('server'));
  const identity = identifyProcess(Number(/process_id:(\d+)/.exec(info)?.[1] ?? 0));
  if (identity === undefined) throw new Error(`${node.key} names a process that is not there`);
  return identity;
}

/** Until the node answers again and has loaded its data. */
export async function untilServes(cluster: MoveCluster, node: MoveNode): Promise<void> {
  await until(
    `${node.key} to be back`,
    async () =>
      (await withNode(node, cluster.password, (client) => client.info('persistence'))).includes(
        'loading:0',
      ),
    BACK_WITHIN_MS,
  );
}

export type ConnectionType = 'normal' | 'replica' | 'master';

/** Cuts all connections of a type to a node, movers' among them, save the test's own. */
export async function cutConnections(
  cluster: MoveCluster,
  node: MoveNode,
  type: ConnectionType,
): Promise<void> {
  await withNode(node, cluster.password, (client) =>
    client.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes'),
  );
}

/** Held: it is there and says nothing, like a host whose power supply stutters. */
export function hold(identity: ProcessIdentity): void {
  sendSignal(identity, 'SIGSTOP');
}

export function letGo(identity: ProcessIdentity): void {
  sendSignal(identity, 'SIGCONT');
}

export async function roleOf(cluster: MoveCluster, node: MoveNode): Promise<'master' | 'replica'> {
  const info = await withNode(node, cluster.password, (client) => client.info('replication'));
  return info.includes('role:master') ? 'master' : 'replica';
}

export async function untilMaster(cluster: MoveCluster, nodes: readonly MoveNode[]): Promise<void> {
  await until(
    `one of ${nodes.map(({ key }) => key).join(' ')} to be promoted`,
    async () => {
      for (const node of nodes) if ((await roleOf(cluster, node)) === 'master') return true;
      return false;
    },
    BACK_WITHIN_MS,
  );
}
