/** What a plan for a cluster is, and what every planner beside this file needs to make one. */
import {
  RedroverError,
  type ClusterSpec,
  type Finding,
  type Forecast,
  type Layout,
  type LayoutNode,
  type MoveOptions,
  type OperationKind,
  type PlannedMove,
  type Release,
} from '@redrover/core';

import type { Agents } from '../agents/agents.ts';
import type { Seen } from '../agents/snapshot.ts';
import type { Operations } from '../operations/operations.ts';
import type { Releases } from '../releases/releases.ts';
import type { ClusterRecord } from '../store/cluster-records.ts';
import type { Store } from '../store/store.ts';

export interface PlannerContext extends Seen {
  readonly agents: Agents;
  readonly operations: Operations;
  readonly releases: Releases;
  readonly store: Store;
}

export interface ClusterPlan {
  readonly kind: OperationKind;
  /** What is in force once the plan is applied. */
  readonly layout: Layout;
  /** The same of the spec. */
  readonly spec: ClusterSpec;
  readonly release: Release;
  /** Nodes of earlier layouts that are to go. */
  readonly former: readonly LayoutNode[];
  readonly forecast: Forecast;
  readonly findings: readonly Finding[];
  readonly fingerprint: string;
  /** Nothing would be done. */
  readonly empty: boolean;
  /** In force now; 0 for a cluster that does not exist yet. */
  readonly currentLayoutNumber: number;
  /** As people say what it is for; empty where the kind says it all. */
  readonly reason: string;
  /** How slots are moved, where any are. */
  readonly move: MoveOptions;
  /** Slots that would be moved, as the preview has them; none before there is one. */
  readonly moves: readonly PlannedMove[];
}

export interface Refused {
  readonly ok: false;
  readonly refusals: readonly Finding[];
  readonly alternatives: readonly string[];
}

export type PlannedCluster = { readonly ok: true; readonly plan: ClusterPlan } | Refused;

/** Hosts that do not answer are seen as such by whoever reads the snapshot. */
export async function observeNodes(
  { agents, hosts }: PlannerContext,
  nodes: readonly LayoutNode[],
): Promise<void> {
  const online = nodes.filter((node) => hosts.find(node.host)?.status === 'online');
  const keys = Map.groupBy(online, (node) => node.host);
  await agents.observe(new Map([...keys].map(([host, of]) => [host, of.map((node) => node.key)])));
}

/** The nodes of earlier layouts that are to go, by what is in force. */
export async function formerNodes(
  { store }: PlannerContext,
  { clusterId, layout }: ClusterRecord,
): Promise<readonly LayoutNode[]> {
  return store.clusters.listFormerNodes(clusterId, layout.number);
}

/** @throws RedroverError `failed-precondition` */
export function refuseUnderWay({ operations }: PlannerContext, name: string): void {
  const operation = operations.findUnderWay(name);
  if (operation === undefined) return;
  const what = operation.reason === '' ? operation.kind : operation.reason;
  throw new RedroverError(
    'failed-precondition',
    `operation ${operation.id} (${what}) on ${name} is ${operation.state}; ` +
      (operation.state === 'paused'
        ? `go on with it by \`redrover op resume ${operation.id}\`, or give it up by `
        : `follow it with \`redrover op watch ${operation.id}\`, or give it up by `) +
      `\`redrover op cancel ${operation.id}\``,
    { context: { operation: operation.id } },
  );
}

/** @throws RedroverError `failed-precondition` while the cluster was never complete. */
export async function refuseUnfinished(
  { store }: PlannerContext,
  { name, clusterId }: ClusterRecord,
): Promise<void> {
  if (await store.operations.hasDone(clusterId, 'create')) return;
  throw new RedroverError(
    'failed-precondition',
    `the creation of ${name} was not finished; apply its spec again with ` +
      '`redrover cluster apply`, which goes on with it',
  );
}

/** @throws RedroverError `not-found` */
export async function findCluster({ store }: PlannerContext, name: string): Promise<ClusterRecord> {
  const record = await store.clusters.find(name);
  if (record === undefined) throw unknownCluster(name);
  return record;
}

export function unknownCluster(name: string): RedroverError {
  return new RedroverError(
    'not-found',
    `there is no cluster ${name}; \`redrover cluster ls\` lists them`,
  );
}
