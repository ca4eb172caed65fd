/**
 * What a plan was computed from, in 64 hexadecimal digits: `apply` refuses if any of it has moved
 * since a person approved the plan.
 */
import { createHash } from 'node:crypto';

import {
  topologyMark,
  type ClusterSpec,
  type Layout,
  type LayoutNode,
  type MoveOptions,
  type Observation,
  type OperationKind,
  type Release,
} from '@redrover/core';

export interface Fingerprinted {
  readonly kind: OperationKind;
  readonly purge: boolean;
  /** Of the layout in force; 0 for a cluster that does not exist yet. */
  readonly currentLayoutNumber: number;
  readonly spec: ClusterSpec;
  readonly layout: Layout;
  /** Nodes of earlier layouts that are to go. */
  readonly former: readonly LayoutNode[];
  readonly release: Release;
  /** How slots are moved, where any are. */
  readonly move: MoveOptions;
  readonly observation: Observation;
}

export function fingerprintPlan(plan: Fingerprinted): string {
  const { kind, purge, currentLayoutNumber, spec, layout, former, release, move } = plan;
  const gone = former.map(({ key }) => key);
  const isOfRunning = kind === 'repair' || kind === 'change';
  const world = isOfRunning ? topologyMark(layout, plan.observation) : describePresence(plan);
  const facts = [kind, purge, currentLayoutNumber, spec, layout, gone, release, move, world];
  return createHash('sha256').update(canonicalJson(facts)).digest('hex');
}

/**
 * For plans that make or remove all nodes: what is there, and whose it is. Not what changes by
 * itself: memory, offsets, restarts.
 */
function describePresence({ layout, former, observation }: Fingerprinted): unknown[] {
  const all = [...layout.nodes, ...former];
  const names = [...new Set(all.map((node) => node.host))].sort();
  const hosts = names.map((name) => [name, observation.hosts[name]?.status === 'lost']);
  const nodes = all.map(({ key }) => {
    const { process, redis } = observation.nodes[key] ?? {};
    const presence = process === undefined || process.state === 'absent' ? 'absent' : 'present';
    const owner = process?.marker?.clusterId ?? '';
    return [key, presence, owner, process?.hasData === true, redis?.nodeId, redis?.role];
  });
  return [hosts, nodes];
}

/** The same text for the same data, whatever the order of its fields. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    const entries = Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries);
  });
}
