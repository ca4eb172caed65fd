/**
 * From nothing to a running `redis-server`: prepares and starts the layout's nodes.
 *
 * Never prepares or starts a node over data that is not provably this cluster's: the marker in
 * the node's directory, written before its first start, has to carry the cluster's id.
 */
import type { LayoutNode } from '../model/layout.ts';
import type { NodeObservation } from '../model/observation.ts';
import type { Attempt } from '../model/operation.ts';
import { nodePlanOf, stepKey, type NodePlan, type StartNodeStep } from '../model/step.ts';
import { trailOf, tryStep } from './attempts.ts';
import { hasBuild } from './builds.ts';
import { planHashOf } from './plan-hash.ts';
import { isOnline, seenNode, type Situation } from './situation.ts';
import { blocking, IDLE, mergeTurns, waiting, type Turn } from './turn.ts';

/** A node without data answers within a second; its own log tells more than further waiting. */
const START_LIMIT_MS = 60_000;

export function planNodes(situation: Situation): Turn {
  return mergeTurns(situation.layout.nodes.map((node) => planNode(situation, node)));
}

function planNode(situation: Situation, node: LayoutNode): Turn {
  // A host that cannot be reached is spoken of once, in hosts.ts.
  if (!isOnline(situation, node.host)) return IDLE;
  const seen = seenNode(situation, node.key);
  if (seen === undefined) return waiting(node.key, 'not reported yet by its host');
  const foreign = refuseForeign(situation, node, seen);
  if (foreign !== undefined) return foreign;
  const plan = nodePlanOf(situation.layout, node, situation.release);
  const rendered = seen.process.planHash === planHashOf(plan);
  switch (seen.process.state) {
    case 'absent':
      return prepareNode(situation, plan);
    case 'prepared':
    case 'stopped':
      return rendered ? startNode(situation, node) : prepareNode(situation, plan);
    case 'running':
      return rendered ? planRunning(node, seen) : refuseOtherConfig(situation, node, seen);
    case 'starting':
    case 'unresponsive':
    case 'backoff':
      return waitForAnswer(situation, node, seen);
    case 'crash-loop':
    case 'held':
      return refuseStuck(node, seen);
  }
}

export function refuseForeign(
  situation: Situation,
  node: LayoutNode,
  seen: NodeObservation,
): Turn | undefined {
  const { marker, hasData, state } = seen.process;
  const { layout } = situation;
  if (marker !== undefined) {
    if (marker.clusterId === layout.clusterId) return undefined;
    return blocking({
      rule: 'node-of-another-cluster',
      subject: node.key,
      message:
        `The directory of ${node.key} belongs to cluster ${marker.cluster} ` +
        `(${marker.clusterId}), not to this one.`,
      evidence: [`this cluster's id: ${layout.clusterId}`, `of layout ${marker.layoutNumber}`],
      remedy:
        `Choose another port or host in the spec, or remove the other cluster first: ` +
        `redrover cluster rm ${marker.cluster}`,
    });
  }
  if (!hasData && state === 'absent') return undefined;
  return blocking({
    rule: 'node-holds-foreign-data',
    subject: node.key,
    message: `The directory of ${node.key} does not say that it is this cluster's.`,
    evidence: [`process ${state}`, hasData ? 'an AOF, an RDB file or a nodes.conf' : 'no data'],
    remedy: `Move that directory away on ${node.host}, or choose another port in the spec`,
  });
}

export function prepareNode(situation: Situation, plan: NodePlan): Turn {
  const { node } = plan;
  // The config is tried with the real binary, so the build comes first; builds.ts says what it
  // waits for.
  if (!hasBuild(situation, node.host)) return IDLE;
  return tryStep(
    situation.attempts,
    { kind: 'prepareNode', host: node.host, plan },
    {
      now: situation.now,
      what: `preparing ${node.key}`,
      subject: node.key,
      remedy: `Repair what the message names on ${node.host}, then apply again`,
    },
  );
}

export function startStep(node: LayoutNode): StartNodeStep {
  return { kind: 'startNode', host: node.host, node: node.key };
}

export function startNode(situation: Situation, node: LayoutNode): Turn {
  if (!hasBuild(situation, node.host)) return IDLE;
  const step = startStep(node);
  const attempts = new Map([[stepKey(step), startsSincePrepared(situation, node)]]);
  return tryStep(attempts, step, {
    now: situation.now,
    what: `starting ${node.key}`,
    subject: node.key,
    remedy: `Read its redis.log on ${node.host}, then apply again`,
  });
}

/** What failed before the node was prepared anew says nothing of it any more. */
export function startsSincePrepared(situation: Situation, node: LayoutNode): readonly Attempt[] {
  const plan = nodePlanOf(situation.layout, node, situation.release);
  const prepare = stepKey({ kind: 'prepareNode', host: node.host, plan });
  const prepared = situation.attempts.get(prepare)?.findLast(({ outcome }) => outcome === 'ok');
  const sinceMs = prepared?.endedAtMs ?? 0;
  const starts = situation.attempts.get(stepKey(startStep(node))) ?? [];
  return starts.filter(({ startedAtMs }) => startedAtMs >= sinceMs);
}

function planRunning(node: LayoutNode, seen: NodeObservation): Turn {
  if (seen.redis === undefined) return waiting(node.key, 'running, not observed yet');
  return IDLE;
}

export function refuseOtherConfig(
  situation: Situation,
  node: LayoutNode,
  seen: NodeObservation,
): Turn {
  return blocking({
    rule: 'change-not-supported',
    subject: node.key,
    message:
      `Node ${node.key} runs with another config than layout ${situation.layout.number} wants, ` +
      `and changing the config of running nodes is not supported yet.`,
    evidence: [
      `rendered from plan ${seen.process.planHash || '(none)'}`,
      `layout of its marker: ${seen.process.marker?.layoutNumber ?? 0}`,
    ],
    remedy: 'Put the spec back as it was, or create a new cluster from it.',
  });
}

export function waitForAnswer(situation: Situation, node: LayoutNode, seen: NodeObservation): Turn {
  const { state, reason } = seen.process;
  const started = trailOf(situation.attempts, stepKey(startStep(node))).last?.endedAtMs;
  const loading = seen.redis?.loading === true;
  if (started === undefined || loading || situation.now - started < START_LIMIT_MS) {
    return waiting(node.key, reason === '' ? state : `${state}: ${reason}`);
  }
  return blocking({
    rule: 'node-does-not-answer',
    subject: node.key,
    message:
      `Node ${node.key} was started ${Math.floor((situation.now - started) / 1000)} s ago ` +
      `and does not answer (${state}).`,
    evidence: reason === '' ? [] : [reason],
    remedy: `Read its redis.log on ${node.host}, then apply again`,
  });
}

export function refuseStuck(node: LayoutNode, seen: NodeObservation): Turn {
  const { state, reason, restarts } = seen.process;
  return blocking({
    rule: state === 'held' ? 'node-held' : 'node-crash-loop',
    subject: node.key,
    message:
      state === 'held'
        ? `Node ${node.key} is held back from starting: ${reason}`
        : `Node ${node.key} keeps crashing: ${reason}`,
    evidence: [`${restarts} restarts since it was last started on purpose`],
    remedy: `Read its redis.log on ${node.host}, then apply again`,
  });
}
