/**
 * What an operation has left to a person: keys of which two nodes hold different copies. Neither is lost, and none
 * may be chosen by a guess.
 */
import type { Miss } from '../live-writer/protocol.ts';
import type { MoveCluster, OperationDetails } from './move-cluster.ts';
import { withNode } from './raw-nodes.ts';

const MAX_KEYS = 10_000;

/** Slots that operations have left as they are because of such keys. */
export function undecidedSlots(operations: readonly OperationDetails[]): ReadonlySet<number> {
  const slots = operations
    .filter(({ operation }) => operation.state === 'needs-decision')
    .flatMap(({ attempts }) => attempts.flatMap(({ move }) => move?.quarantined ?? []))
    .filter(({ rule }) => rule === 'key-differs')
    .map(({ slot }) => slot);
  return new Set(slots);
}

/** Keys in those slots of which two masters have a copy each; what a client reads is but one of them. */
export async function heldTwice(
  cluster: MoveCluster,
  misses: readonly Miss[],
  slots: ReadonlySet<number>,
): Promise<ReadonlySet<string>> {
  const copies = new Map<string, number>();
  for (const node of cluster.nodes) {
    await withNode(node, cluster.password, async (client) => {
      if (!(await client.info('replication')).includes('role:master')) return;
      for (const slot of slots) {
        const keys = (await client.call('CLUSTER', 'GETKEYSINSLOT', slot, MAX_KEYS)) as string[];
        for (const key of keys) copies.set(key, (copies.get(key) ?? 0) + 1);
      }
    });
  }
  return new Set(misses.map(({ key }) => key).filter((key) => (copies.get(key) ?? 0) > 1));
}
