/**
 * Keeps a spec true when nodes are laid out elsewhere: a spec that goes on naming a host that was
 * replaced would be at odds with its own layout, and the next apply of it would want the past back.
 */
import type { ClusterSpec, Layout, LayoutNode, NodeKey, PinnedNode } from '@redrover/core';

/** Specs that leave the choice of hosts and nodes open stay as they are. */
export function specAfterMove(spec: ClusterSpec, current: Layout, next: Layout): ClusterSpec {
  const hosts = hostsAfterMove(spec.placement.hosts, current, next);
  const nodes = pinsAfterMove(spec.nodes, current, next);
  return { ...spec, placement: { ...spec.placement, hosts }, nodes };
}

/** Hosts that lost all their nodes make room for those that came, each in its place. */
function hostsAfterMove(allowed: readonly string[], current: Layout, next: Layout): string[] {
  if (allowed.length === 0) return [];
  const before = hostsOf(current);
  const after = hostsOf(next);
  const arrived = [...after].filter((host) => !allowed.includes(host));
  const kept = allowed.flatMap((host) => {
    if (!before.has(host) || after.has(host)) return [host];
    const successor = arrived.shift();
    return successor === undefined ? [] : [successor];
  });
  return [...kept, ...arrived];
}

function hostsOf({ nodes }: Layout): Set<string> {
  return new Set(nodes.map((node) => node.host));
}

/** What a pin left open stays open; what it said is said as the layout has it now. */
function pinsAfterMove(pins: readonly PinnedNode[], current: Layout, next: Layout): PinnedNode[] {
  const successors = successorsOf(current, next);
  return pins.map((pin) => {
    const node = successors.get(`${pin.host}:${pin.port}`);
    if (node === undefined) return pin;
    const shard = next.shards.findIndex(({ id }) => id === node.shard) + 1;
    return {
      host: node.host,
      port: node.port,
      shard: pin.shard === undefined ? undefined : shard,
      role: pin.role === undefined ? undefined : node.preferredRole,
    };
  });
}

/** Which node of the next layout stands for each of the current one: itself, or one that came. */
function successorsOf(current: Layout, next: Layout): Map<NodeKey, LayoutNode> {
  const kept = new Map(next.nodes.map((node) => [node.key, node]));
  const present = new Set(current.nodes.map((node) => node.key));
  const arrived = next.nodes.filter((node) => !present.has(node.key));
  const successors = new Map<NodeKey, LayoutNode>();
  for (const node of current.nodes) {
    const successor = kept.get(node.key) ?? takeLike(node, arrived);
    if (successor !== undefined) successors.set(node.key, successor);
  }
  return successors;
}

/** Of the same shard, in the same role if there is one; each is taken once. */
function takeLike(node: LayoutNode, arrived: LayoutNode[]): LayoutNode | undefined {
  const ofShard = arrived.filter(({ shard }) => shard === node.shard);
  const taken = ofShard.find((other) => other.preferredRole === node.preferredRole) ?? ofShard[0];
  if (taken !== undefined) arrived.splice(arrived.indexOf(taken), 1);
  return taken;
}
