/** What a node of the model answers when the mover asks it, as the agent reads it off `CLUSTER NODES` and `INFO`. */
import type { MoveEnd } from '../../model/migration.ts';
import type { ViewNode } from '../../model/observation.ts';
import type { NodeReading } from '../read-slot-facts.ts';
import type { Cluster } from './cluster.ts';
import type { RedisNode, SlotName } from './redis-node.ts';

/** The one that moves; each shard's own slot has a number behind it. */
export const SLOT = 0;

export function readingOf(cluster: Cluster, node: RedisNode): NodeReading {
  const numbers = new Map<SlotName, number>([['x', SLOT]]);
  for (const { shard } of cluster.nodes.values()) {
    if (!numbers.has(shard)) numbers.set(shard, numbers.size);
  }
  const slotsOf = (id: string) =>
    [...node.table].flatMap(([slot, owner]) => {
      const number = numbers.get(slot) ?? 0;
      return owner === id ? [{ start: number, end: number }] : [];
    });
  const lines = [...cluster.nodes.keys()].map((id) => viewLine(node, id, slotsOf(id)));
  return {
    nodeId: node.id,
    // Nobody asks for the hash.
    view: { hash: '', nodes: lines },
    role: node.role,
    loading: false,
    stateOk: !cluster.isFenced(node),
    offsetBytes: node.role === 'master' ? node.log.length : node.position,
  };
}

export function endOf({ id }: RedisNode): MoveEnd {
  return { node: id, nodeId: id, address: '127.0.0.1', port: 7000 };
}

function viewLine(node: RedisNode, id: string, slots: ViewNode['slots']): ViewNode {
  const peer = node.peers.get(id);
  const role = peer?.role ?? node.role;
  const open = (nodeId: string | undefined) =>
    peer !== undefined || nodeId === undefined ? [] : [{ slot: SLOT, nodeId }];
  return {
    nodeId: id,
    address: '127.0.0.1',
    port: 7000,
    busPort: 17000,
    flags: [role === 'replica' ? 'slave' : 'master', ...(peer?.failed === true ? ['fail'] : [])],
    masterId: peer === undefined ? node.masterId : peer.masterId,
    configEpoch: node.epochOf(id),
    connected: true,
    slots,
    migrating: open(node.migratingTo),
    importing: open(node.importingFrom),
  };
}
