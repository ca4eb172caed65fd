/**
 * Takes a cluster down: replicas stop first, then masters, then directories go.
 *
 * Only nodes whose marker carries the cluster's id are touched. Nothing is stopped while a host
 * cannot be reached: a cluster that cannot be removed as a whole is not torn in half.
 */
import type { Finding } from '../model/finding.ts';
import type { LayoutNode } from '../model/layout.ts';
import type { NodeObservation } from '../model/observation.ts';
import type { RemoveNodeStep, StopNodeStep } from '../model/step.ts';
import { tryStep } from './attempts.ts';
import { planHosts } from './hosts.ts';
import { hostOf, isOnline, seenNode, type Situation } from './situation.ts';
import { isIdle, mergeTurns, waiting, type Turn } from './turn.ts';

export function planRemove(input: Situation): Turn {
  // A host that was removed from the controller is gone with its nodes.
  const known = input.layout.nodes.filter((node) => hostOf(input, node.host) !== undefined);
  // What earlier layouts left behind goes along; a host that was replaced for being lost does not
  // hold up the removal.
  const keys = new Set(known.map((node) => node.key));
  const former = input.former.filter((node) => !keys.has(node.key) && isOnline(input, node.host));
  const nodes = [...known, ...former];
  const situation = { ...input, layout: { ...input.layout, nodes } };
  const hosts = planHosts(situation);
  if (!isIdle(hosts)) return hosts;
  const unseen = nodes.filter((node) => seenNode(situation, node.key) === undefined);
  if (unseen.length > 0) {
    return mergeTurns(unseen.map((node) => waiting(node.key, 'not reported yet by its host')));
  }
  const ours = nodes.flatMap((node) => ownNode(situation, node));
  const replicas = ours.filter((own) => isAlive(own.seen) && isReplica(own.seen));
  const stopping = mergeTurns(replicas.map(({ node }) => stop(situation, node)));
  if (!isIdle(stopping)) return stopping;
  const masters = ours.filter((own) => isAlive(own.seen));
  const stoppingMasters = mergeTurns(masters.map(({ node }) => stop(situation, node)));
  if (!isIdle(stoppingMasters)) return stoppingMasters;
  return mergeTurns(ours.map(({ node }) => remove(situation, node)));
}

/** What a person must know before a removal: nodes that stay, as nothing proves them to be ours. */
export function findLeftAlone({ layout, observation }: LeftAloneInput): Finding[] {
  return layout.nodes.flatMap((node): Finding[] => {
    const seen = observation.nodes[node.key];
    const isUnknown = observation.hosts[node.host] === undefined;
    if (!isUnknown && (seen === undefined || seen.process.state === 'absent')) return [];
    const marker = seen?.process.marker;
    if (!isUnknown && marker?.clusterId === layout.clusterId) return [];
    const owner = marker === undefined ? 'does not say whose it is' : `is of ${marker.cluster}`;
    return [
      {
        rule: 'node-left-alone',
        severity: 'warning',
        subject: node.key,
        message: isUnknown
          ? `Host ${node.host} is not known: what it has of ${node.key} stays there.`
          : `Node ${node.key} is left as it is: its directory ${owner}.`,
        evidence: [`process ${seen?.process.state ?? 'unknown'}`],
        remedy: `Look at it on ${node.host}; stop and move away by hand what nobody needs`,
      },
    ];
  });
}

type LeftAloneInput = Pick<Situation, 'layout' | 'observation'>;

interface OwnNode {
  readonly node: LayoutNode;
  readonly seen: NodeObservation;
}

function ownNode(situation: Situation, node: LayoutNode): OwnNode[] {
  const seen = seenNode(situation, node.key);
  if (seen === undefined || seen.process.state === 'absent') return [];
  if (seen.process.marker?.clusterId !== situation.layout.clusterId) return [];
  return [{ node, seen }];
}

/** Whether its agent has, or would start, a process for the node. */
function isAlive(seen: NodeObservation): boolean {
  return seen.process.state !== 'prepared' && seen.process.state !== 'stopped';
}

function isReplica(seen: NodeObservation): boolean {
  return seen.redis?.role === 'replica';
}

function stop(situation: Situation, node: LayoutNode): Turn {
  const step: StopNodeStep = { kind: 'stopNode', host: node.host, node: node.key };
  return tryStep(situation.attempts, step, {
    now: situation.now,
    what: `stopping ${node.key}`,
    subject: node.key,
    remedy: `Stop that process on ${node.host} by hand, then remove again`,
  });
}

function remove(situation: Situation, node: LayoutNode): Turn {
  const { purge } = situation;
  const step: RemoveNodeStep = { kind: 'removeNode', host: node.host, node: node.key, purge };
  return tryStep(situation.attempts, step, {
    now: situation.now,
    what: `removing ${node.key}`,
    subject: node.key,
    remedy: `Repair what the message names on ${node.host}, then remove again`,
  });
}
