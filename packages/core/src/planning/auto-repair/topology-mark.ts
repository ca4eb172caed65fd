/**
 * One word for all that a repair would react to: while it stays the same, the cluster is quiet.
 *
 * What changes by itself is left out: offsets, times, epochs, suspicion (`fail?`), and handshakes,
 * which come and go under made-up ids while somebody cannot be reached.
 */
import type { Layout } from '../../model/layout.ts';
import type {
  NodeObservation,
  Observation,
  ProcessState,
  ViewNode,
} from '../../model/observation.ts';
import { formatRanges } from '../../model/slots.ts';
import { fingerprintOf } from '../../topology/fingerprint.ts';

/**
 * Of the layout's hosts, and of all nodes in the observation: those of earlier layouts count, too.
 * 16 hexadecimal digits.
 */
export function topologyMark(layout: Layout, observation: Observation): string {
  const hosts = [...new Set(layout.nodes.map((node) => node.host))].sort();
  const nodes = Object.values(observation.nodes).sort((a, b) => (a.key < b.key ? -1 : 1));
  const lines = [
    `layout ${layout.clusterId} ${layout.number}`,
    ...hosts.map((name) => `host ${name} ${observation.hosts[name]?.status ?? 'unknown'}`),
    ...nodes.map(describeNode),
    ...describeViews(nodes, stoppedEndpoints(layout, observation)),
  ];
  return fingerprintOf(lines.join('\n'));
}

function describeNode({ key, process, redis }: NodeObservation): string {
  const lost = process.identityLost ? ' identity lost' : '';
  const said = redis === undefined ? 'silent' : `${redis.nodeId} ${redis.role}`;
  return `node ${key} ${steadyState(process.state)}${lost} ${said}`;
}

/**
 * A node that cannot start goes round through these for ever: if each round counted as a change,
 * it would never be made anew.
 */
function steadyState(state: ProcessState): string {
  return state === 'starting' || state === 'backoff' || state === 'crash-loop' ? 'coming' : state;
}

/**
 * Where nodes are stopped. That the others call these failed comes by itself, a node timeout after
 * the stop, which is in the mark already.
 */
function stoppedEndpoints({ nodes }: Layout, observation: Observation): ReadonlySet<string> {
  const stopped = nodes.filter(({ key }) => observation.nodes[key]?.process.state === 'stopped');
  return new Set(stopped.map(({ address, port }) => `${address}:${port}`));
}

/** What is said of each node by anybody; views that agree are read once. */
function describeViews(nodes: readonly NodeObservation[], stopped: ReadonlySet<string>): string[] {
  const views = new Map(
    nodes.flatMap(({ redis }) => (redis === undefined ? [] : [[redis.view.hash, redis.view]])),
  );
  const lines = [...views.values()].flatMap((view) =>
    view.nodes
      .filter((entry) => !entry.flags.includes('handshake'))
      .map((entry) => describeEntry(entry, stopped)),
  );
  return [...new Set(lines)].sort();
}

function describeEntry(entry: ViewNode, stopped: ReadonlySet<string>): string {
  const { nodeId, address, port, masterId, slots, flags } = entry;
  const isNews = flags.includes('fail') && !stopped.has(`${address}:${port}`);
  const failed = isNews ? ' failed' : '';
  return `known ${nodeId} ${address}:${port} ${masterId} ${formatRanges(slots)}${failed}`;
}
