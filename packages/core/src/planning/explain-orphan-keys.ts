/** What people are told of keys in slots of others, by an operation and by an examination. */
import type { LayoutNode } from '../model/layout.ts';

export interface OrphanCase {
  readonly node: LayoutNode;
  readonly keys: number;
  readonly slotCount: number;
  readonly cluster: string;
}

export function explainOrphanKeys({ node, keys, slotCount, cluster }: OrphanCase) {
  const { key, address, port } = node;
  return {
    rule: 'orphan-keys',
    severity: 'warning' as const,
    subject: key,
    message: `Node ${key} holds ${keys} keys in ${slotCount || 'some'} slots that others own, which no client can reach.`,
    remedy:
      `Compare them with the owner's (redis-cli -h ${address} -p ${port} CLUSTER GETKEYSINSLOT SLOT 100). ` +
      `To bring them back, send ${key} CLUSTER SETSLOT SLOT IMPORTING <id of the owner>; to drop them, DEL each ` +
      'there after ASKING as well, then CLUSTER SETSLOT SLOT STABLE. After a minute: ' +
      `redrover cluster repair ${cluster}`,
  };
}
