/** Processes: whether every node of the layout runs, answers and is this cluster's. */
import type { Finding, Severity } from '../model/finding.ts';
import type { LayoutNode } from '../model/layout.ts';
import type { NodeObservation, ProcessState } from '../model/observation.ts';
import { adviseOnUnderWay, shallBeStopped, type Picture } from './picture.ts';

interface Trouble {
  readonly rule: string;
  readonly severity: Severity;
  readonly says: string;
}

/** Undefined: nothing is wrong with a node in that state. */
const TROUBLES: Readonly<Record<ProcessState, Trouble | undefined>> = {
  absent: { rule: 'node-absent', severity: 'critical', says: 'has no directory on its host' },
  prepared: { rule: 'node-down', severity: 'critical', says: 'was never started' },
  stopped: { rule: 'node-down', severity: 'critical', says: 'is stopped' },
  starting: { rule: 'node-down', severity: 'warning', says: 'is starting' },
  running: undefined,
  unresponsive: { rule: 'node-unresponsive', severity: 'critical', says: 'does not answer' },
  backoff: { rule: 'node-down', severity: 'warning', says: 'crashed and will be started again' },
  'crash-loop': { rule: 'node-crash-loop', severity: 'critical', says: 'keeps crashing' },
  held: { rule: 'node-held', severity: 'critical', says: 'is held back from starting' },
};

const WITHOUT_PROCESS: ReadonlySet<ProcessState> = new Set(['absent', 'prepared', 'stopped']);

export function findNodesDown(picture: Picture): Finding[] {
  const { layout, observation } = picture;
  return layout.nodes.flatMap((node) => {
    if (observation.hosts[node.host]?.status !== 'online') return [];
    if (shallBeStopped(picture, node)) return [];
    const seen = observation.nodes[node.key];
    if (seen === undefined) return [unreported(node)];
    const trouble = TROUBLES[seen.process.state];
    if (trouble !== undefined) return [describe(picture, node, { seen, trouble })];
    if (seen.redis !== undefined) return [];
    const silent: Trouble = {
      rule: 'node-unobserved',
      severity: 'warning',
      says: 'runs, but nothing could be read from it',
    };
    return [describe(picture, node, { seen, trouble: silent })];
  });
}

/** A drain that was cut short, or nodes that somebody started again. */
export function findNodesToStop(picture: Picture): Finding[] {
  return picture.speakers
    .filter(({ node }) => shallBeStopped(picture, node))
    .map(({ node, redis }) => ({
      rule: 'drained-node-running',
      severity: 'warning' as const,
      subject: node.key,
      message: `Node ${node.key} runs, though its host ${node.host} is drained.`,
      evidence: [`it is a ${redis.role}`],
      remedy:
        adviseOnUnderWay(picture) ??
        `Finish the drain: redrover cluster repair ${picture.layout.cluster}; or end it: ` +
          `redrover host undrain ${node.host}`,
    }));
}

/** Nodes of earlier layouts that were not removed, as the change of layouts was cut short. */
export function findFormerNodes(picture: Picture): Finding[] {
  const { layout, departed, observation } = picture;
  return departed.flatMap((node) => {
    const seen = observation.nodes[node.key];
    if (seen === undefined || observation.hosts[node.host]?.status !== 'online') return [];
    const { state, marker } = seen.process;
    if (state === 'absent' || marker?.clusterId !== layout.clusterId) return [];
    const isThere = !WITHOUT_PROCESS.has(state);
    return [
      {
        rule: 'former-node',
        severity: isThere ? ('warning' as const) : ('info' as const),
        subject: node.key,
        message:
          `Node ${node.key} is of an earlier layout, and ` +
          (isThere ? `its process is still there.` : `its directory is still there.`),
        evidence: [`state ${state}`, `it was of shard ${node.shard}`],
        remedy:
          adviseOnUnderWay(picture) ??
          'Let it be handed off, stopped and forgotten: ' +
            `redrover cluster repair ${layout.cluster}`,
      },
    ];
  });
}

export function findForeignNodes({ layout, observation }: Picture): Finding[] {
  return layout.nodes.flatMap((node) => {
    const process = observation.nodes[node.key]?.process;
    if (process === undefined || process.state === 'absent') return [];
    const { marker } = process;
    if (marker?.clusterId === layout.clusterId) return [];
    return [
      {
        rule: 'node-of-another-cluster',
        severity: 'critical' as const,
        subject: node.key,
        message:
          marker === undefined
            ? `The directory of ${node.key} does not say whose it is.`
            : `The directory of ${node.key} belongs to cluster ${marker.cluster}.`,
        evidence: [`this cluster's id: ${layout.clusterId}`, `found: ${marker?.clusterId ?? '-'}`],
        remedy: `Find out on ${node.host} whose data that is before you start or remove anything.`,
      },
    ];
  });
}

function unreported(node: LayoutNode): Finding {
  return {
    rule: 'node-unobserved',
    severity: 'warning',
    subject: node.key,
    message: `Node ${node.key} has not been reported by its host.`,
    evidence: [],
    remedy: `Wait for the next report of its agent: redrover host show ${node.host}`,
  };
}

function describe(
  { layout }: Picture,
  node: LayoutNode,
  { seen, trouble }: { readonly seen: NodeObservation; readonly trouble: Trouble },
): Finding {
  const { state, reason, restarts } = seen.process;
  return {
    rule: trouble.rule,
    severity: trouble.severity,
    subject: node.key,
    message: `Node ${node.key} ${trouble.says}${reason === '' ? '' : `: ${reason}`}.`,
    evidence: [`state ${state}`, ...(restarts > 0 ? [`${restarts} restarts after crashes`] : [])],
    remedy: adviseOn(layout.cluster, node, seen),
  };
}

function adviseOn(cluster: string, { host, port }: LayoutNode, seen: NodeObservation): string {
  const repair = `redrover cluster repair ${cluster}`;
  const { state, identityLost } = seen.process;
  switch (state) {
    case 'absent':
      return (
        `Let it be made anew: ${repair}; or if its creation was not finished, apply the ` +
        'spec again.'
      );
    case 'prepared':
    case 'stopped':
      return (
        `Let it be started: ${repair}; or if a removal was cancelled, finish it: ` +
        `redrover cluster rm ${cluster}`
      );
    case 'crash-loop':
      return (
        `Read its redis.log on ${host}; its agent goes on trying. Once another node serves its ` +
        `slots it can be made anew: ${repair}`
      );
    case 'unresponsive':
      return (
        `See what it does on ${host}. Once another node serves its slots it is restarted by: ` +
        repair
      );
    case 'held':
      if (identityLost) return `Once another node serves its slots it is made anew by: ${repair}`;
      return (
        'It comes back by itself once another node owns its slots. If none can, and what it ' +
        `lacks is to be given up, run redrover-agent release-node ${port} on ${host}.`
      );
    case 'starting':
    case 'backoff':
    case 'running':
      return `Read its redis.log on ${host}; its agent goes on trying.`;
  }
}
