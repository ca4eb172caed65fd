/** What a plan makes of each node: where and what it is now, where and what it will be. */
import { effectiveRoles } from '@redrover/core';
import type { EffectiveRole, Layout, LayoutNode } from '@redrover/core';

import type { View } from '../output/output.ts';
import type { Style } from '../output/style.ts';
import type { NodeView } from './cluster-view.ts';
import { paintState } from './host-view.ts';
import { compareText } from './plan-view.ts';

export interface NodePlace {
  readonly key: string;
  readonly host: string;
  readonly address: string;
  readonly port: number;
}

export interface NodeChange {
  readonly shard: string;
  /** Null: there is no such node yet. */
  readonly from: NodePlace | null;
  /** Null: the node goes, and no other takes its place. */
  readonly to: NodePlace | null;
  /** `master` or `replica` of a node that runs, else the state of its process; null: none yet. */
  readonly now: string | null;
  /** Null: the node goes. */
  readonly becomes: EffectiveRole | null;
  /** It leads its shard only while the host of the preferred master is drained. */
  readonly standsIn: boolean;
}

export interface ChangeInput {
  /** As they were seen, of the layout in force. */
  readonly nodes: readonly NodeView[];
  readonly next: Layout;
}

/** Only nodes that something happens to. */
export function compareNodes({ nodes, next }: ChangeInput): NodeChange[] {
  const roles = effectiveRoles(next);
  const kept = new Map(next.nodes.map((node) => [node.key, node]));
  const known = new Set(nodes.map(({ key }) => key));
  const added = next.nodes.filter(({ key }) => !known.has(key));
  const changes: NodeChange[] = [];
  for (const node of nodes) {
    const target = kept.get(node.key) ?? takeSuccessor(added, node);
    const becomes = target === undefined ? null : (roles.get(target.key) ?? null);
    const standsIn = becomes === 'master' && target?.preferredRole === 'replica';
    const to = target === undefined ? null : placeOf(target);
    const now = nowOf(node);
    if (to?.key === node.key && to.address === node.address && becomes === now) continue;
    changes.push({ shard: node.shard, from: placeOf(node), to, now, becomes, standsIn });
  }
  for (const node of added) {
    const becomes = roles.get(node.key) ?? null;
    const standsIn = becomes === 'master' && node.preferredRole === 'replica';
    changes.push({
      shard: node.shard,
      from: null,
      to: placeOf(node),
      now: null,
      becomes,
      standsIn,
    });
  }
  return changes.sort(compareChanges);
}

/** The new node of the same shard that takes a node's place, one with its role if there is one. */
function takeSuccessor(added: LayoutNode[], node: NodeView): LayoutNode | undefined {
  const ofShard = added.filter(({ shard }) => shard === node.shard);
  const successor =
    ofShard.find(({ preferredRole }) => preferredRole === node.preferredRole) ?? ofShard[0];
  if (successor !== undefined) added.splice(added.indexOf(successor), 1);
  return successor;
}

function nowOf({ state, role }: NodeView): string {
  return state === 'running' ? role : state;
}

function placeOf({ key, host, address, port }: NodePlace): NodePlace {
  return { key, host, address, port };
}

function compareChanges(a: NodeChange, b: NodeChange): number {
  const key = ({ from, to }: NodeChange): string => (from ?? to)?.key ?? '';
  return compareText(a.shard, b.shard) || compareText(key(a), key(b));
}

export function renderNodeChanges(
  changes: readonly NodeChange[],
  view: View,
  lastColumn = 'WILL BE',
): string {
  const rows = changes.map((change) => [
    change.shard,
    (change.from ?? change.to)?.key ?? '',
    describeNow(change, view.style),
    describeNext(change, view.style),
  ]);
  return view.table(['SHARD', 'NODE', 'NOW', lastColumn], rows);
}

function describeNow(change: NodeChange, style: Style): string {
  const { now, from } = change;
  if (now === null) return 'not there yet';
  const isRole = now === 'master' || now === 'replica';
  const what = isRole ? paintRole(now, style) : paintState(now.replace('-lost', ' lost'), style);
  return from !== null && isReaddressed(change) ? `${what} at ${from.address}` : what;
}

function describeNext(change: NodeChange, style: Style): string {
  const { from, to, becomes, standsIn } = change;
  if (to === null || becomes === null) return style.caution('removed');
  const role = becomes === 'stopped' ? style.caution(becomes) : paintRole(becomes, style);
  const told = standsIn ? `${role} meanwhile` : role;
  if (isReaddressed(change)) return `${told} at ${to.address}`;
  return from !== null && from.key !== to.key ? `${to.key}, ${told}` : told;
}

function isReaddressed({ from, to }: NodeChange): boolean {
  return from !== null && to !== null && from.key === to.key && from.address !== to.address;
}

function paintRole(role: string, style: Style): string {
  return role === 'master' ? style.accent(role) : role;
}
