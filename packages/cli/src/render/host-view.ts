/** Hosts for people and for scripts. */
import type { HostFacts, HostStatus, TuningItem } from '@redrover/core';
import type { Host as HostMessage } from '@redrover/proto';
import { hostFactsFromProto, hostStatusFromProto, nodeObservationFromProto } from '@redrover/wire';

import type { View } from '../output/output.ts';
import type { Style } from '../output/style.ts';
import { formatAge, formatBytes } from '../output/units.ts';
import { timestampMs } from './times.ts';

/** What `host ls` and `host show` give as JSON. */
export interface HostView {
  readonly name: string;
  readonly address: string;
  readonly status: HostStatus;
  readonly labels: Readonly<Record<string, string>>;
  /** ISO 8601; null: never. */
  readonly lastSeen: string | null;
  readonly facts: HostFacts | null;
  readonly builds: readonly { readonly id: string; readonly release: string }[];
  readonly nodes: readonly HostNodeView[];
  readonly loadAverage: number;
  readonly agentRssBytes: number;
  /** Clusters whose nodes here are stopped for maintenance. */
  readonly drainedFor: readonly string[];
}

interface HostNodeView {
  readonly key: string;
  readonly port: number;
  readonly cluster: string;
  readonly state: string;
  readonly pid: number | null;
  readonly restarts: number;
  readonly reason: string;
  readonly role: string;
  readonly usedMemoryBytes: number;
}

export function toHostView(host: HostMessage): HostView {
  const seenMs = timestampMs(host.lastSeen);
  return {
    name: host.name,
    address: host.address,
    status: hostStatusFromProto(host.status),
    labels: { ...host.labels },
    lastSeen: seenMs === undefined ? null : new Date(seenMs).toISOString(),
    facts: host.facts === undefined ? null : hostFactsFromProto(host.facts),
    builds: host.builds.map(({ id, release }) => ({ id, release })),
    nodes: host.nodes.map((node) => toNodeView(node)),
    loadAverage: host.loadAverage,
    agentRssBytes: Number(host.agentRssBytes),
    drainedFor: [...host.drainedFor],
  };
}

function toNodeView(message: HostMessage['nodes'][number]): HostNodeView {
  const { key, port, process, redis } = nodeObservationFromProto(message);
  return {
    key,
    port,
    cluster: process.marker?.cluster ?? '',
    state: process.state,
    pid: process.pid ?? null,
    restarts: process.restarts,
    reason: process.reason,
    role: redis?.role ?? '',
    usedMemoryBytes: redis?.usedMemoryBytes ?? 0,
  };
}

export function renderHosts(hosts: readonly HostView[], view: View, nowMs: number): string {
  if (hosts.length === 0) {
    return "No hosts yet: start `redrover-agent run` on each, with the controller's agent token.";
  }
  const columns = [
    'NAME',
    'ADDRESS',
    'STATUS',
    'SEEN',
    'OS',
    'CPU',
    'MEMORY',
    'DISK FREE',
    'NODES',
  ];
  const rows = hosts.map((host) => [
    host.name,
    host.address,
    describeStatus(host, view.style),
    formatAge(seenMs(host), nowMs) || 'never',
    host.facts?.os ?? '',
    host.facts === null ? '' : String(host.facts.cores),
    host.facts === null ? '' : formatBytes(host.facts.memoryBytes),
    host.facts === null ? '' : formatBytes(host.facts.diskFreeBytes),
    String(host.nodes.length),
  ]);
  return view.table(columns, rows);
}

export function renderHost(host: HostView, view: View, nowMs: number): string {
  const labels = Object.entries(host.labels).map(([key, value]) => `${key}=${value}`);
  const rows: [string, string][] = [
    ['Address', host.address],
    ['Status', `${paintStatus(host.status, view.style)}, seen ${formatAge(seenMs(host), nowMs)}`],
    ...drainRows(host, view.style),
    ['Labels', labels.join(' ') || '-'],
    ...factRows(host.facts),
    ['Load', host.loadAverage.toFixed(2)],
    ['Agent memory', formatBytes(host.agentRssBytes)],
    ['Builds', host.builds.map(({ release }) => release).join(', ') || 'none'],
  ];
  const head = rows.map(([name, value]) => `${view.style.faint(name.padEnd(14))} ${value}`);
  const nodes = host.nodes.length === 0 ? ['No nodes.'] : [renderNodes(host.nodes, view)];
  return [view.style.strong(host.name), ...head, '', ...nodes].join('\n');
}

function drainRows({ name, drainedFor }: HostView, style: Style): [string, string][] {
  if (drainedFor.length === 0) return [];
  const which = drainedFor.join(', ');
  return [['Drained', style.caution(`for ${which}; \`redrover host undrain ${name}\` ends it`)]];
}

function factRows(facts: HostFacts | null): [string, string][] {
  if (facts === null) return [['Facts', 'not reported yet']];
  return [
    ['System', `${facts.os}, kernel ${facts.kernel}, ${facts.arch}, ${facts.libc}`],
    ['Platform', facts.platform],
    ['Processors', String(facts.cores)],
    ['Memory', formatBytes(facts.memoryBytes)],
    ['Disk', `${formatBytes(facts.diskFreeBytes)} free of ${formatBytes(facts.diskTotalBytes)}`],
    ['Compiler', facts.compiler || 'none'],
    ['Agent', `${facts.agentVersion}, ${facts.root ? 'root' : 'not root'}, ${facts.rootDirectory}`],
  ];
}

function renderNodes(nodes: readonly HostNodeView[], view: View): string {
  const columns = ['NODE', 'CLUSTER', 'STATE', 'ROLE', 'PID', 'RESTARTS', 'MEMORY', 'REMARK'];
  const rows = nodes.map((node) => [
    node.key,
    node.cluster,
    paintState(node.state, view.style),
    node.role,
    node.pid === null ? '' : String(node.pid),
    String(node.restarts),
    node.role === '' ? '' : formatBytes(node.usedMemoryBytes),
    node.reason,
  ]);
  return view.table(columns, rows);
}

/** The items of `host check` and `host tune`; with `before` when one of them was changed. */
export function renderTuning(items: readonly TuningItem[], view: View): string {
  const tuned = items.some((item) => item.before !== undefined);
  const columns = tuned
    ? ['ITEM', 'BEFORE', 'NOW', 'WANTED', 'STATE', 'SOURCE']
    : ['ITEM', 'FOUND', 'WANTED', 'STATE', 'SOURCE'];
  const rows = items.map((item) => [
    item.name,
    ...(tuned ? [item.before ?? item.found] : []),
    item.found,
    item.wanted,
    paintTuningState(item.state, view.style),
    // Mostly two paths: what was read, and the own file that keeps the value.
    item.source.replaceAll(', ', '\n'),
  ]);
  const hints = renderHints(items.filter((item) => item.hint !== '' && item.state !== 'ok'));
  return [view.table(columns, rows), ...(hints.length > 0 ? ['', ...hints] : [])].join('\n');
}

/** Items that want the same are told together. */
function renderHints(items: readonly TuningItem[]): string[] {
  return [...Map.groupBy(items, ({ hint }) => hint)].map(([hint, same]) => {
    return `${same.map(({ name }) => name).join(', ')}: ${hint}`;
  });
}

function seenMs(host: HostView): number | undefined {
  return host.lastSeen === null ? undefined : Date.parse(host.lastSeen);
}

function describeStatus({ status, drainedFor }: HostView, style: Style): string {
  const painted = paintStatus(status, style);
  return drainedFor.length === 0 ? painted : `${painted}, ${style.caution('drained')}`;
}

function paintStatus(status: HostStatus, style: Style): string {
  if (status === 'online') return style.good(status);
  return status === 'suspect' ? style.caution(status) : style.bad(status);
}

export function paintState(state: string, style: Style): string {
  if (state === 'running') return style.good(state);
  return ['stopped', 'prepared', 'starting'].includes(state)
    ? style.caution(state)
    : style.bad(state);
}

function paintTuningState(state: TuningItem['state'], style: Style): string {
  if (state === 'ok') return style.good(state);
  return state === 'advice' || state === 'not-persisted' ? style.caution(state) : style.bad(state);
}
