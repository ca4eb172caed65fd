/** What people should know of a layout of another size before they approve it. */
import type { Finding } from '../../model/finding.ts';
import type { Layout, LayoutNode } from '../../model/layout.ts';
import { countByOwner, ownersOf } from '../slots/slot-owners.ts';
import { whereSlotsAre } from './next-slots.ts';
import { replicasOf, type ScaleRequest } from './scale-request.ts';

/** `moved`: nodes that leave their place for another, as they are in the layout in force. */
export function tellChanges(
  request: ScaleRequest,
  next: Layout,
  moved: readonly LayoutNode[],
): Finding[] {
  return [
    ...tellShards(request, next),
    ...tellReplicas(request, next, moved),
    ...tellRoles(request, next),
    ...tellMoved(request, next, moved),
  ];
}

function tellShards({ current, spec, ownedSlots }: ScaleRequest, next: Layout): Finding[] {
  const counts = countByOwner(ownersOf(whereSlotsAre(current, ownedSlots)));
  const leaving = current.shards.filter(({ id }) => next.shards.every((other) => other.id !== id));
  if (leaving.length === 0) return [];
  const slots = leaving.reduce((sum, { id }) => sum + (counts.get(id) ?? 0), 0);
  const names = leaving.map(({ id }) => id).join(', ');
  const pinned = spec.nodes.length > 0;
  return [
    info({
      rule: 'shards-leave',
      subject: names,
      message:
        `${leaving.length === 1 ? 'Shard' : 'Shards'} ${names} will be removed, and ${slots} ` +
        `slots moved to the others first${pinned ? ': the spec lists none of the nodes' : REASON}.`,
      evidence: leaving.flatMap(({ id }) => [
        `${id}: ${counts.get(id) ?? 0} slots`,
        ...current.nodes.filter((node) => node.shard === id).map((node) => describe(node)),
      ]),
    }),
  ];
}

const REASON =
  ': of all choices that keep the rules the one that moves the fewest slots and then stands the ' +
  'loss of a host best, the newest shards first';

function tellReplicas(
  { current, spec }: ScaleRequest,
  next: Layout,
  moved: readonly LayoutNode[],
): Finding[] {
  if (spec.replicas >= replicasOf(current)) return [];
  const leaving = current.nodes.filter(
    (node) =>
      next.shards.some(({ id }) => id === node.shard) &&
      !moved.includes(node) &&
      next.nodes.every(({ key }) => key !== node.key),
  );
  return [
    info({
      rule: 'replicas-leave',
      subject: current.cluster,
      message:
        `${leaving.length} ${leaving.length === 1 ? 'replica' : 'replicas'} will be removed: ` +
        (spec.nodes.length > 0
          ? 'the spec does not list them.'
          : 'those without which the cluster stands the loss of a host best, lost ones first.'),
      evidence: leaving.map((node) => describe(node)),
    }),
  ];
}

function tellRoles({ current }: ScaleRequest, next: Layout): Finding[] {
  const changed = next.nodes.filter((node) => {
    const before = current.nodes.find(({ key }) => key === node.key);
    return before?.preferredRole === 'replica' && node.preferredRole === 'master';
  });
  if (changed.length === 0) return [];
  return [
    info({
      rule: 'roles-rearranged',
      subject: current.cluster,
      message: `${plural(changed.length, 'shard')} will get another master, so that the rules hold.`,
      evidence: changed.map((node) => `${node.shard}: ${node.key} becomes master`),
    }),
  ];
}

function tellMoved(
  { current }: ScaleRequest,
  next: Layout,
  moved: readonly LayoutNode[],
): Finding[] {
  const gone = moved.filter((node) => next.nodes.every(({ key }) => key !== node.key));
  if (gone.length === 0) return [];
  return [
    {
      ...info({
        rule: 'nodes-moved',
        subject: current.cluster,
        message: `${plural(gone.length, 'node')} must move to another host, or the rules would not hold.`,
        evidence: gone.map((node) => describe(node)),
      }),
      severity: 'warning',
    },
  ];
}

export function describe(node: LayoutNode): string {
  return `${node.key} (${node.shard} ${node.preferredRole})`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function info(finding: Omit<Finding, 'severity' | 'remedy'>): Finding {
  return { ...finding, severity: 'info', remedy: '' };
}
