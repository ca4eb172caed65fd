/** Makes a small cluster out of an agent's nodes by the steps of a creation. */
import {
  busPortOf,
  splitSlotsEvenly,
  type NodeObservation,
  type ProbeTarget,
} from '@redrover/core';

import { until } from '../../support/until.ts';
import type { AgentHarness } from './agent-harness.ts';

export interface SmallCluster {
  readonly masters: readonly number[];
  /** The master of each replica. */
  readonly replicas: Readonly<Record<number, number>>;
  readonly config?: Readonly<Record<string, string>>;
  /** Default 2000. */
  readonly nodeTimeoutMs?: number;
}

/** Resolves when every view agrees, every slot is served and every replica is in sync. */
export async function createCluster(
  harness: AgentHarness,
  { masters, replicas, config = {}, nodeTimeoutMs = 2_000 }: SmallCluster,
): Promise<void> {
  const { controller, host } = harness;
  const replicaPorts = Object.keys(replicas).map(Number);
  const ports = [...masters, ...replicaPorts];
  await Promise.all(
    ports.map((port) => harness.run(harness.plan(port, { config, nodeTimeoutMs }))),
  );
  const targets = ports.map((port) => targetOf(harness, port));
  await controller.step({ kind: 'probeMesh', host, targets });
  const slots = splitSlotsEvenly(masters.length);
  await Promise.all(
    masters.map((port, index) =>
      controller.step({
        kind: 'claimSlots',
        host,
        node: harness.key(port),
        configEpoch: index + 1,
        slots: slots.slice(index, index + 1),
      }),
    ),
  );
  await Promise.all(
    ports.map((port, index) =>
      controller.step({
        kind: 'meetNodes',
        host,
        node: harness.key(port),
        peers: targets.slice(index + 1),
      }),
    ),
  );
  const nodes = ports.map((port) => harness.key(port));
  await settled(harness, nodes, (seen) => {
    const known = seen.redis?.view.nodes ?? [];
    const inHandshake = known.some((node) => node.flags.includes('handshake'));
    return known.length === ports.length && !inHandshake;
  });
  const ids = new Map(
    (await controller.observe(nodes)).map((seen) => [seen.port, seen.redis?.nodeId]),
  );
  await Promise.all(
    Object.entries(replicas).map(([port, master]) =>
      controller.step({
        kind: 'attachReplica',
        host,
        node: harness.key(Number(port)),
        master: harness.key(master),
        masterNodeId: ids.get(master) ?? '',
      }),
    ),
  );
  await settled(harness, nodes, isServing);
}

/** Whether the node is content with the cluster, and in sync if it is a replica. */
export function isServing(seen: NodeObservation): boolean {
  return seen.redis?.clusterState === 'ok' && seen.redis.masterLinkUp !== false;
}

/** Waits until all nodes satisfy the condition and hold the same view. */
export async function settled(
  harness: AgentHarness,
  nodes: readonly string[],
  condition: (seen: NodeObservation) => boolean,
): Promise<void> {
  await until(`${nodes.join(', ')} to settle`, async () => {
    const seen = await harness.controller.observe(nodes);
    const views = new Set(seen.map((node) => node.redis?.view.hash));
    return views.size === 1 && seen.every(condition);
  });
}

export function targetOf(harness: AgentHarness, port: number): ProbeTarget {
  const { address } = harness;
  return { node: harness.key(port), address, port, busPort: busPortOf(port) };
}
