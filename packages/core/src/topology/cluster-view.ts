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
 * Left out, because Redis shows or knows them on one node only, so that nodes in full agreement
 * would differ: `myself`, ping and pong times, link state, `nofailover`, open slots (printed on
 * the node's own line alone), and the epoch of a replica (Redis 5.0 prints its own there, later
 * releases its master's).
 */
export function canonicalText(view: ClusterView): string {
  return view.nodes.map(canonicalLine).join('');
}

function canonicalLine(node: ViewNode): string {
  const isReplica = node.masterId !== '';
  const flags = node.flags.filter((flag) => !LOCAL_FLAGS.has(flag)).sort();
  return (
    `${node.nodeId} ${node.address}:${node.port}@${node.busPort} ${flags.join(',')} ` +
    `${node.masterId} ${isReplica ? '' : node.configEpoch} ${formatRanges(node.slots)}\n`
  );
}

/**
 * Differs whenever anything in a view differs, open slots, link states and flags included (the
 * agreement hash does not): tells an agent that the controller's copy is out of date.
 */
export function viewRevision(view: ClusterView): string {
  const print = new Fingerprint();
  for (const node of view.nodes) {
    print.add(canonicalLine(node));
    print.add(`${node.configEpoch} ${node.connected ? 1 : 0} ${node.flags.join(',')}`);
    for (const open of node.migrating) print.add(` ${open.slot}>${open.nodeId}`);
    for (const open of node.importing) print.add(` ${open.slot}<${open.nodeId}`);
    print.add('\n');
  }
  return print.digest();
}
