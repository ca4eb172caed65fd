/**
 * Ids of nodes that are gone for good are forgotten on every living node at once: a minute later
 * gossip would bring them back from one that still knows them (Redis command page CLUSTER FORGET).
 *
 * Never an id that owns a slot in any view, that a living node follows, or that a node of the
 * layout may come back with.
 */
import type { LayoutNode } from '../../model/layout.ts';
import type { ViewNode } from '../../model/observation.ts';
import type { ForgetNodesStep } from '../../model/step.ts';
import { tryStep } from '../attempts.ts';
import { isOnline, seenNode } from '../situation.ts';
import { IDLE, mergeTurns, waiting, type Turn } from '../turn.ts';
import { endpointOf, hasNoIdentity, isFormer, type Fleet } from './fleet.ts';

/** `gone`: nothing will ever answer to it. `kept`: not ours to forget. `alive`: it still answers. */
type Fate = 'gone' | 'kept' | 'alive';

export function planForgetting(fleet: Fleet): Turn {
  const absentees = listAbsentees(fleet);
  const fates = absentees.map((entries) => ({ entries, fate: judge(fleet, entries) }));
  const alive = fates.filter(({ fate }) => fate === 'alive');
  const gone = new Set(
    fates.flatMap(({ entries, fate }) => (fate === 'gone' ? (entries[0]?.nodeId ?? []) : [])),
  );
  if (alive.length > 0) {
    // It knows the ids as well, and would bring them back.
    if (fleet.kind === 'repair' || gone.size + countFormer(fleet, alive) === 0) return IDLE;
    return mergeTurns(
      alive.map(({ entries }) =>
        waiting(nameOf(fleet, entries), 'other nodes still reach it, though its host is silent'),
      ),
    );
  }
  return mergeTurns(
    fleet.live.map(({ node, redis }) => {
      const known = redis.view.nodes.filter(({ nodeId }) => gone.has(nodeId));
      const nodeIds = known.map(({ nodeId }) => nodeId).sort();
      return nodeIds.length === 0 ? IDLE : forget(fleet, node, nodeIds);
    }),
  );
}

/** What the views say of each id that no living node answers to. */
function listAbsentees(fleet: Fleet): ViewNode[][] {
  const byId = new Map<string, ViewNode[]>();
  for (const view of fleet.views.values()) {
    for (const entry of view.nodes.values()) {
      // A handshake carries a made-up id until it is over, and times out by itself.
      if (fleet.liveById.has(entry.nodeId) || entry.flags.includes('handshake')) continue;
      const known = byId.get(entry.nodeId);
      if (known === undefined) byId.set(entry.nodeId, [entry]);
      else known.push(entry);
    }
  }
  return [...byId.values()];
}

function judge(fleet: Fleet, entries: readonly ViewNode[]): Fate {
  const isFailed = entries.every(({ flags }) => flags.includes('fail') || flags.includes('noaddr'));
  const node = nodeAt(fleet, entries);
  const isKnown = node !== undefined && isOnline(fleet, node.host);
  if (node !== undefined && !isKnown && !isFailed) return 'alive';
  const id = entries[0]?.nodeId;
  const isNeeded =
    entries.some((entry) => entry.slots.length > 0) ||
    fleet.live.some((live) => live.self?.masterId === id);
  if (isNeeded) return 'kept';
  if (node === undefined) {
    return isLeftBehind(fleet, entries) && !mayReturn(fleet, entries) ? 'gone' : 'kept';
  }
  if (fleet.liveByKey.has(node.key)) return mayReturn(fleet, entries) ? 'kept' : 'gone';
  // An agent that was started on another root has no such node either, and the server runs on.
  const isAbsent = seenNode(fleet, node.key)?.process.state === 'absent';
  return isAbsent && !isFailed ? 'alive' : judgeSilent(fleet, node);
}

/** What becomes of the id of a node that is where the layout, or an earlier one, has it. */
function judgeSilent(fleet: Fleet, node: LayoutNode): Fate {
  if (hasNoIdentity(fleet, node)) return 'gone';
  if (!isFormer(fleet, node)) return 'kept';
  if (!isOnline(fleet, node.host)) return 'gone';
  const process = seenNode(fleet, node.key)?.process;
  if (process === undefined) return 'kept';
  const { state, marker } = process;
  const isOthers = marker !== undefined && marker.clusterId !== fleet.layout.clusterId;
  const isDown = state === 'absent' || state === 'stopped' || state === 'prepared';
  return isOthers || isDown ? 'gone' : 'kept';
}

/**
 * An id at no address that any node has now: Redis drops the address of a node in whose place
 * another one answers, and a node that was made anew on another address leaves the old one behind.
 */
function isLeftBehind(fleet: Fleet, entries: readonly ViewNode[]): boolean {
  const ports = new Set(fleet.layout.nodes.map(({ port }) => port));
  return entries.every(
    ({ flags, port }) => flags.includes('noaddr') || (flags.includes('fail') && ports.has(port)),
  );
}

/** Whether a node of the layout that does not answer, and is known nowhere else, may be this one. */
function mayReturn(fleet: Fleet, entries: readonly ViewNode[]): boolean {
  const ports = new Set(entries.map(({ port }) => port));
  const known = new Set(
    [...fleet.views.values()].flatMap((view) => [...view.nodes.values()].map(endpointOf)),
  );
  return fleet.layout.nodes.some(
    (node) =>
      (ports.has(node.port) || ports.has(0)) &&
      !fleet.liveByKey.has(node.key) &&
      !known.has(endpointOf(node)) &&
      !hasNoIdentity(fleet, node),
  );
}

/** The node of the layout, or of an earlier one, whose endpoint the entries name. */
function nodeAt(fleet: Fleet, entries: readonly ViewNode[]): LayoutNode | undefined {
  const found = entries.find((entry) => fleet.byEndpoint.has(endpointOf(entry)));
  return found === undefined ? undefined : fleet.byEndpoint.get(endpointOf(found));
}

function nameOf(fleet: Fleet, entries: readonly ViewNode[]): string {
  const [entry] = entries;
  return nodeAt(fleet, entries)?.key ?? `${entry?.address ?? ''}:${entry?.port ?? ''}`;
}

function countFormer(fleet: Fleet, fates: readonly { readonly entries: readonly ViewNode[] }[]) {
  return fates.filter(({ entries }) => {
    const node = nodeAt(fleet, entries);
    return node !== undefined && isFormer(fleet, node);
  }).length;
}

function forget(fleet: Fleet, node: LayoutNode, nodeIds: readonly string[]): Turn {
  const step: ForgetNodesStep = { kind: 'forgetNodes', host: node.host, node: node.key, nodeIds };
  return tryStep(fleet.attempts, step, {
    now: fleet.now,
    what: `${node.key} forgetting ${nodeIds.length} nodes that are gone`,
    subject: node.key,
    remedy: `redrover cluster check ${fleet.layout.cluster} shows who still knows them`,
  });
}
