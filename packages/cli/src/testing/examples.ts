/** What tests of the rendering are built from: views without colours, layouts, nodes, steps, operations. */
import { busPortOf, DEFAULT_MOVE_OPTIONS } from '@redrover/core';
import type {
  Attempt,
  Finding,
  Layout,
  MoveProgress,
  MoveReport,
  NodeRole,
  Operation,
  PlannedMove,
  Step,
} from '@redrover/core';

import type { View } from '../output/output.ts';
import { createStyle } from '../output/style.ts';
import { renderTable } from '../output/table.ts';
import type { NodeView } from '../render/cluster-view.ts';
import type { PlanView } from '../render/plan-view.ts';

export const style = createStyle({ isTerminal: false, noColor: true, env: {} });

/** As a pipe gets it. */
export const view = viewOf(100);

/** As a terminal without colours gets it. */
export function viewOf(width: number): View {
  return {
    style,
    width,
    table: (columns, rows) => renderTable({ columns, rows, style, width }),
  };
}

/** From lines such as `h1:6379 s1 master`; the address of host h1 is 192.0.2.1 and so on. */
export function layoutOf(lines: readonly string[], change: Partial<Layout> = {}): Layout {
  const nodes = lines.map((line) => {
    const [key = '', shard = '', role = ''] = line.split(' ');
    const [host = '', port = ''] = key.split(':');
    return {
      key,
      host,
      address: `192.0.2.${host.slice(1)}`,
      port: Number(port),
      busPort: busPortOf(Number(port)),
      shard,
      preferredRole: role as NodeRole,
      configEpoch: 0,
    };
  });
  const shards = [...new Set(nodes.map(({ shard }) => shard))].map((id) => ({ id, slots: [] }));
  return {
    cluster: 'shop',
    clusterId: 'c1',
    number: 2,
    release: 'redis-7.0.15',
    shards,
    nodes,
    maxmemoryBytes: undefined,
    nodeTimeoutMs: 5000,
    config: {},
    zoneLabel: 'zone',
    allowSameHost: false,
    allowWeakQuorum: false,
    drainedHosts: [],
    ...change,
  };
}

/** The nodes of a layout as they look when each runs in the role that it prefers. */
export function nodesOf(layout: Layout): NodeView[] {
  return layout.nodes.map((node) => nodeView({ ...node, role: node.preferredRole }));
}

export function nodeView(change: Partial<NodeView>): NodeView {
  const role = change.role ?? 'master';
  return {
    id: 'a1b2c3d4e5f60718293a4b5c6d7e8f9001122334',
    key: 'h1:6379',
    host: 'h1',
    address: '192.0.2.1',
    port: 6379,
    busPort: 16379,
    role,
    preferredRole: role,
    wantedRole: role,
    shard: 's1',
    slots: role === 'master' ? ['0-5460'] : [],
    slotCount: role === 'master' ? 5461 : 0,
    openSlots: [],
    state: 'running',
    reason: '',
    pid: 4711,
    restarts: 0,
    version: '7.0.15',
    masterId: '',
    masterLinkUp: role === 'master' ? null : true,
    lagBytes: role === 'master' ? null : 0,
    keys: 1,
    usedMemoryBytes: 2_621_440,
    maxmemoryBytes: 0,
    clusterState: 'ok',
    observedAt: null,
    disagreements: [],
    ...change,
  };
}

export function start(node: string): Step {
  return { kind: 'startNode', host: hostOf(node), node };
}

export function stop(node: string): Step {
  return { kind: 'stopNode', host: hostOf(node), node };
}

export function handoff(node: string, master: string): Step {
  const masterNodeId = 'b'.repeat(40);
  return { kind: 'handoffMaster', host: hostOf(node), node, master, masterNodeId };
}

function hostOf(node: string): string {
  return node.split(':')[0] ?? '';
}

export function planOf(layout: Layout, change: Partial<PlanView> = {}): PlanView {
  const rest = { empty: false, fingerprint: 'f1', rounds: [], moves: [], findings: [] };
  return { kind: 'change', reason: '', layout, ...rest, ...change };
}

/** 1365 slots of s1 at h1:6379, on their way to s4 at h4:6379. */
export function plannedMove(change: Partial<PlannedMove> = {}): PlannedMove {
  return {
    from: 's1',
    to: 's4',
    source: 'h1:6379',
    target: 'h4:6379',
    engine: 'migrate',
    slots: [{ start: 0, end: 1364 }],
    keys: 83_333,
    bytes: 12_582_912,
    largestKey: { slot: 7, name: 'cart:4711', type: 'hash', bytes: 1_258_291 },
    blockingMs: 4.2,
    durationMs: 12_000,
    complete: true,
    ...change,
  };
}

/** Half way of what `plannedMove` plans. */
export function moveProgress(change: Partial<MoveProgress> = {}): MoveProgress {
  return {
    source: 'h1:6379',
    target: 'h4:6379',
    engine: 'migrate',
    slotsDone: 683,
    slotsTotal: 1365,
    keysDone: 41_000,
    keysTotal: 83_333,
    bytesDone: 6_396_313,
    bytesTotal: 12_582_912,
    keysPerS: 12_000,
    bytesPerS: 1_887_436,
    blockedMs: 3,
    quarantinedSlots: 0,
    state: 'moving',
    ...change,
  };
}

export function moveReport(change: Partial<MoveReport> = {}): MoveReport {
  return {
    engine: 'migrate',
    slotsMoved: 1365,
    keysMoved: 83_333,
    bytesMoved: 12_582_912,
    blockedMs: 4.2,
    quarantined: [],
    notes: [],
    ...change,
  };
}

/** At moving slots of s1; from the first second to the eleventh. */
export function moveAttempt(change: Partial<Attempt> = {}): Attempt {
  return {
    stepKey: 'moveSlots h1:6379 > h4:6379 migrate',
    startedAtMs: 1_000,
    endedAtMs: 11_000,
    outcome: 'ok',
    errorCode: undefined,
    message: '',
    move: moveReport(),
    ...change,
  };
}

export function finding(change: Partial<Finding>): Finding {
  return {
    rule: 'host-lost',
    severity: 'warning',
    subject: 'h3',
    message: 'h3 is lost',
    evidence: [],
    remedy: '',
    ...change,
  };
}

export function operationOf(change: Partial<Operation> = {}): Operation {
  return {
    id: 'op1',
    cluster: 'shop',
    kind: 'create',
    layoutNumber: 1,
    state: 'running',
    createdAtMs: 0,
    endedAtMs: undefined,
    message: '',
    purge: false,
    reason: '',
    automatic: false,
    move: DEFAULT_MOVE_OPTIONS,
    ...change,
  };
}
