/** Clusters as people look at them: the list, the picture by shard, the table of nodes. */
import { SLOT_COUNT } from '@redrover/core';
import type { Waiting } from '@redrover/core';

import type { View } from '../output/output.ts';
import type { Style } from '../output/style.ts';
import { formatBytes, formatCount, formatDuration, formatNumber } from '../output/units.ts';
import type { ClusterDetails, Health, NodeView, SummaryView } from './cluster-view.ts';
import { renderFindings } from './finding-view.ts';
import { paintState } from './host-view.ts';
import { operationPurpose } from './operation-title.ts';
import { shortenRanges } from './slot-changes.ts';
import type { SlotsElsewhere } from './slots-on-their-way.ts';

// Enough to tell the nodes of a cluster apart; the whole id is in the JSON output.
const SHORT_ID_LENGTH = 8;

// Of an operation under way; `op show` has them all.
const MAX_WAITS = 4;

// A rebalanced shard holds many ranges; JSON output has them all.
const MAX_RANGES = 6;

export function renderClusters(clusters: readonly SummaryView[], view: View): string {
  if (clusters.length === 0) return 'No clusters yet: `redrover cluster plan -f spec.yaml`.';
  const rows = clusters.map((cluster) => [
    cluster.name,
    paintHealth(cluster.health, view.style),
    cluster.release,
    String(cluster.shards),
    String(cluster.nodeCount),
    String(cluster.layoutNumber),
    cluster.operation === null
      ? ''
      : `${operationPurpose(cluster.operation)} ${cluster.operation.state}`,
  ]);
  const columns = ['NAME', 'HEALTH', 'RELEASE', 'SHARDS', 'NODES', 'LAYOUT', 'OPERATION'];
  return view.table(columns, rows);
}

export function renderCluster(
  cluster: ClusterDetails,
  waits: readonly Waiting[],
  view: View,
): string {
  const lines = [
    renderHeadline(cluster, view),
    ...renderUpkeep(cluster, view),
    ...waits.slice(0, MAX_WAITS).map(({ subject, reason }) => `waiting: ${subject}: ${reason}`),
    '',
    renderTopology(cluster.nodes, view),
  ];
  const { slotsElsewhere } = cluster;
  if (slotsElsewhere.length > 0)
    lines.push('', ...slotsElsewhere.map((each) => tellElsewhere(each, view)));
  if (cluster.nodes.some(hasDrifted)) {
    lines.push('', explainDrift(cluster.name, view));
  }
  if (cluster.findings.length > 0) lines.push('', renderFindings(cluster.findings, view));
  return lines.join('\n');
}

function renderHeadline(cluster: ClusterDetails, { style }: View): string {
  const facts = [
    `${style.strong(cluster.name)}: ${paintHealth(cluster.health, style)}`,
    cluster.release,
    formatCount(cluster.shards, 'shard'),
    formatCount(cluster.nodeCount, 'node'),
    `${cluster.slotsCovered} of ${SLOT_COUNT} slots covered`,
    `layout ${cluster.layoutNumber}`,
  ];
  return facts.join(', ');
}

/** What is under way or agreed on, beside the plain running of it. */
function renderUpkeep(cluster: ClusterDetails, { style }: View): string[] {
  const { drainedHosts, operation, repair, repairQuietMs } = cluster;
  const lines: string[] = [];
  if (operation !== null) {
    const { id, state } = operation;
    const wayOn =
      state === 'paused' ? `redrover op resume ${id} goes on with it` : `operation ${id}`;
    lines.push(`${operationPurpose(operation)} ${state} (${wayOn})`);
  }
  if (drainedHosts.length > 0) {
    lines.push(style.caution(`drained for maintenance: ${drainedHosts.join(', ')}`));
  }
  if (repair === 'auto') {
    lines.push(`repairs itself after ${formatDuration(repairQuietMs)} of quiet (repair: auto)`);
  }
  return lines;
}

function explainDrift(cluster: string, { style }: View): string {
  return `${style.caution('*')} not the role that the layout gives it; \`redrover cluster repair ${cluster}\` brings it home`;
}

/** One block a shard, its master first, replicas hanging from it. */
export function renderTopology(nodes: readonly NodeView[], view: View): string {
  const rows: string[][] = [];
  for (const [shard, members] of Map.groupBy(nodes, (node) => node.shard)) {
    const masters = members.filter(({ role }) => role === 'master');
    const replicas = members.filter(({ role }) => role === 'replica');
    for (const [index, node] of [...masters, ...replicas].entries()) {
      const isLast = index === members.length - 1;
      const branch = index === 0 ? '┬' : isLast ? '└' : '├';
      rows.push([
        index === 0 ? view.style.strong(shard) : '',
        `${members.length === 1 ? '─' : branch} ${paintRole(node, view.style)}`,
        node.host,
        `${node.address}:${node.port}`,
        node.id.slice(0, SHORT_ID_LENGTH),
        node.role === 'master' ? describeSlots(node, view.style) : describeLink(node, view.style),
        node.state === 'running' ? describeData(node) : describeState(node, view.style),
      ]);
    }
  }
  return view.table(['SHARD', 'ROLE', 'HOST', 'NODE', 'ID', 'SLOTS / LINK', 'DATA'], rows);
}

export function renderNodes(nodes: readonly NodeView[], view: View): string {
  const rows = nodes.map((node) => [
    node.key,
    node.shard,
    paintRole(node, view.style),
    describeState(node, view.style),
    node.pid === null ? '' : String(node.pid),
    node.role === 'master' ? '' : describeLink(node, view.style),
    describeMemory(node),
    formatNumber(node.keys),
    describeView(node, view.style),
  ]);
  const columns = ['NODE', 'SHARD', 'ROLE', 'STATE', 'PID', 'LINK', 'MEMORY', 'KEYS', 'VIEW'];
  const table = view.table(columns, rows);
  const disagreements = nodes.flatMap(({ key, disagreements }) =>
    disagreements.map((line) => `  ${key} ${line}`),
  );
  if (disagreements.length === 0) return table;
  return [table, '', 'Nodes that do not agree with the others:', ...disagreements].join('\n');
}

export function paintHealth(health: Health, style: Style): string {
  if (health === 'ok') return style.good(health);
  return health === 'down' ? style.bad(health) : style.caution(health);
}

function paintRole(node: NodeView, style: Style): string {
  const role = node.role === 'master' ? style.accent('master') : 'replica';
  return hasDrifted(node) ? `${role}${style.caution('*')}` : role;
}

function hasDrifted({ role, state, wantedRole }: NodeView): boolean {
  return state === 'running' && wantedRole !== 'stopped' && role !== wantedRole;
}

/** With what is on its way, in or out. */
function describeSlots({ slots, state, openSlots }: NodeView, style: Style): string {
  const none = state === 'running' ? style.faint('no slots') : '';
  const held = slots.length === 0 ? none : shortenRanges(slots, MAX_RANGES);
  const open = openSlots.map(({ direction, count, peer }) => {
    return direction === 'migrating'
      ? `${count} leaving for ${peer}`
      : `${count} coming from ${peer}`;
  });
  return [held, ...open.map((each) => style.caution(each))].filter(Boolean).join(', ');
}

function tellElsewhere({ node, slots, slotCount }: SlotsElsewhere, { style }: View): string {
  const told = `${formatCount(slotCount, 'slot')} (${shortenRanges(slots, MAX_RANGES)})`;
  return style.caution(`${told} at ${node}, which is no node of the layout`);
}

function describeState({ state, wantedRole }: NodeView, style: Style): string {
  const told = state === 'host-lost' ? style.bad('host lost') : paintState(state, style);
  return wantedRole === 'stopped' ? `${told}${style.faint(', drained')}` : told;
}

function describeLink(node: NodeView, style: Style): string {
  if (node.masterLinkUp === null) return '';
  if (!node.masterLinkUp) return style.bad('link down');
  if (node.lagBytes === null) return style.good('in sync');
  return node.lagBytes === 0 ? style.good('in sync') : `${formatBytes(node.lagBytes)} behind`;
}

function describeData(node: NodeView): string {
  const keys = `${formatNumber(node.keys)} ${node.keys === 1 ? 'key' : 'keys'}`;
  return `${keys}, ${describeMemory(node)}`;
}

function describeMemory({ usedMemoryBytes, maxmemoryBytes }: NodeView): string {
  const used = formatBytes(usedMemoryBytes);
  return maxmemoryBytes === 0 ? used : `${used} of ${formatBytes(maxmemoryBytes)}`;
}

function describeView({ disagreements, clusterState }: NodeView, style: Style): string {
  if (disagreements.length > 0) return style.bad('differs');
  return clusterState === 'ok' ? style.good('ok') : style.bad(clusterState);
}
