/**
 * What a plan was computed from, in 64 hexadecimal digits: `apply` refuses if any of it has moved
 * since a person approved the plan.
 */
import { createHash } from 'node:crypto';

import type { ClusterSpec, Layout, Observation, OperationKind, Release } from '@redrover/core';

export interface Fingerprinted {
  readonly kind: OperationKind;
  readonly purge: boolean;
  /** Of the layout in force; 0 for a cluster that does not exist yet. */
  readonly currentLayoutNumber: number;
  readonly spec: ClusterSpec;
  readonly layout: Layout;
  readonly release: Release;
  readonly observation: Observation;
}

export function fingerprintPlan(plan: Fingerprinted): string {
  const { kind, purge, currentLayoutNumber, spec, layout, release, observation } = plan;
  const names = new Set(layout.nodes.map((node) => node.host));
  const hosts = [...names].sort().map((name) => [name, observation.hosts[name]?.status === 'lost']);
  const nodes = layout.nodes.map(({ key }) => {
    const { process, redis } = observation.nodes[key] ?? {};
    // Not what changes by itself: memory, offsets, restarts.
    const presence = process === undefined || process.state === 'absent' ? 'absent' : 'present';
    const owner = process?.marker?.clusterId ?? '';
    return [key, presence, owner, process?.hasData === true, redis?.nodeId, redis?.role];
  });
  const facts = [kind, purge, currentLayoutNumber, spec, layout, release, hosts, nodes];
  return createHash('sha256').update(canonicalJson(facts)).digest('hex');
}

/** The same text for the same data, whatever the order of its fields. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    const entries = Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries);
  });
}
