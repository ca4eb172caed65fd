/**
 * What a plan was computed from, in 64 hexadecimal digits: `apply` refuses if any of it has moved
 * since a person approved the plan.
 */
import { createHash } from 'node:crypto';

import type {
  ClusterSpec,
  Layout,
  LayoutNode,
  NodeObservation,
  Observation,
  OperationKind,
  ProcessState,
  Release,
  ViewNode,
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
  readonly observation: Observation;
}

export function fingerprintPlan(plan: Fingerprinted): string {
  const { kind, purge, currentLayoutNumber, spec, layout, former, release, observation } = plan;
  const running = kind === 'repair' || kind === 'change';
  const all = [...layout.nodes, ...former];
  const names = [...new Set(all.map((node) => node.host))].sort();
  const hosts = names.map((name) => {
    const status = observation.hosts[name]?.status;
    return [name, running ? status === 'online' : status === 'lost'];
  });
  const factsOf = running ? readerOfRunning() : factsOfPresence;
  const nodes = all.map(({ key }) => [key, ...factsOf(observation.nodes[key])]);
  const gone = former.map(({ key }) => key);
  const facts = [kind, purge, currentLayoutNumber, spec, layout, gone, release, hosts, nodes];
  return createHash('sha256').update(canonicalJson(facts)).digest('hex');
}

/** For plans that make or remove all nodes. Not what changes by itself: memory, offsets, restarts. */
function factsOfPresence(seen: NodeObservation | undefined): unknown[] {
  const { process, redis } = seen ?? {};
  const presence = process === undefined || process.state === 'absent' ? 'absent' : 'present';
  const owner = process?.marker?.clusterId ?? '';
  return [presence, owner, process?.hasData === true, redis?.nodeId, redis?.role];
}

/** For plans that depend on who does what now. Views of one hash are read once. */
function readerOfRunning(): (seen: NodeObservation | undefined) => unknown[] {
  const known = new Map<string, string>();
  return (seen) => {
    const { process, redis } = seen ?? {};
    const condition = process === undefined ? '' : CONDITION[process.state];
    const facts = [...factsOfPresence(seen), condition, process?.marker?.layoutNumber ?? 0];
    if (redis === undefined) return facts;
    const { view, nodeId, clusterState } = redis;
    const self = view.nodes.find((node) => node.nodeId === nodeId);
    const acquaintance = known.get(view.hash) ?? digestIds(view.nodes);
    known.set(view.hash, acquaintance);
    return [...facts, clusterState, self?.masterId, self?.slots, acquaintance];
  };
}

/** Whom a node knows: what is to be met, and what is to be forgotten. */
function digestIds(nodes: readonly ViewNode[]): string {
  const established = nodes.filter(({ flags }) => !flags.includes('handshake'));
  const ids = established.map(({ nodeId }) => nodeId).sort();
  return createHash('sha256').update(ids.join(' ')).digest('hex');
}

/** States that come and go by themselves while nothing else changes are one. */
const CONDITION: Readonly<Record<ProcessState, string>> = {
  absent: 'absent',
  prepared: 'resting',
  stopped: 'resting',
  starting: 'failing',
  running: 'running',
  unresponsive: 'unresponsive',
  backoff: 'failing',
  'crash-loop': 'failing',
  held: 'held',
};

/** The same text for the same data, whatever the order of its fields. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    const entries = Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries);
  });
}
