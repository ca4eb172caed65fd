/**
 * The canonical form of a node's view of its cluster, and the hash by which views are compared.
 *
 * Reading `CLUSTER NODES` is `cluster-nodes.ts`'s business; judging a view is `examination/`'s.
 */
import type { ClusterView, ViewNode } from '../model/observation.ts';
import { formatRanges } from '../model/slots.ts';
import { Fingerprint } from './fingerprint.ts';

/**
 * Flags that say nothing about what nodes have to agree on: `noflags` is the printed form of no
 * flag, and `nofailover` is each node's own setting, which travels only with its next ping.
 */
const LOCAL_FLAGS = new Set(['myself', 'noflags', 'nofailover']);

/** Builds a view with its hash: the one way to make a `ClusterView`. */
export function clusterViewOf(nodes: readonly ViewNode[]): ClusterView {
  const sorted = [...nodes].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  const print = new Fingerprint();
  for (const node of sorted) print.add(canonicalLine(node));
  return { hash: print.digest(), nodes: sorted };
}

/**
 * What nodes that agree have in common: one line per node, sorted by node id.
 *
 * Left out, because nodes in full agreement would differ in them: `myself`, ping and pong times,
 * link state, `nofailover`, and the epoch of a replica (Redis 5.0 prints its own there, later
 * releases its master's). Views of one hash may be exchanged for each other in all but these.
 * Open slots stand on their own node's line alone, so a node that has some has a hash of its own.
 */
function canonicalLine(node: ViewNode): string {
  const isReplica = node.masterId !== '';
  const flags = node.flags.filter((flag) => !LOCAL_FLAGS.has(flag)).sort();
  return (
    `${node.nodeId} ${node.address}:${node.port}@${node.busPort} ${flags.join(',')} ` +
    `${node.masterId} ${isReplica ? '' : node.configEpoch} ${formatRanges(node.slots)}` +
    `${openSlots(node)}\n`
  );
}

function openSlots(node: ViewNode): string {
  const migrating = node.migrating.map((open) => ` [${open.slot}->-${open.nodeId}]`);
  const importing = node.importing.map((open) => ` [${open.slot}-<-${open.nodeId}]`);
  return [...migrating, ...importing].sort().join('');
}
