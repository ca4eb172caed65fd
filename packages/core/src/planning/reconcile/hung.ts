/**
 * Processes that are there and do not answer. Such a process keeps its data, so it is stopped and
 * started again, once its cluster does without it.
 */
import type { LayoutNode } from '../../model/layout.ts';
import type { NodeObservation } from '../../model/observation.ts';
import { nodePlanOf, stepKey, type Step } from '../../model/step.ts';
import { succeeded } from '../attempts.ts';
import { startStep, waitForAnswer } from '../nodes.ts';
import { planHashOf } from '../plan-hash.ts';
import { isIdle, waiting, type Turn } from '../turn.ts';
import { clearOfMoves } from './clear-of-moves.ts';
import { endpointOf, hasMajority, isOwnedElsewhere, type Fleet } from './fleet.ts';
import { tryChain } from './phases.ts';
import { explainOwner } from './shard-prospects.ts';

/**
 * All others call it failed: that takes a whole node timeout without an answer to any of them, so
 * it is no pause of a busy process, and no fault between it and its agent alone.
 */
export function planHung(fleet: Fleet, node: LayoutNode, seen: NodeObservation): Turn {
  const { host, key } = node;
  const stop: Step = { kind: 'stopNode', host, node: key };
  if (!isFailedByAll(fleet, node)) {
    const wasStarted = succeeded(fleet.attempts, stepKey(startStep(node)));
    if (wasStarted) return waitForAnswer(fleet, node, seen);
    return waiting(key, 'does not answer its agent; the other nodes do not call it failed');
  }
  if (!isOwnedElsewhere(fleet, node) || !hasMajority(fleet)) return explainOwner(fleet, node);
  // A mover that is stopping may wait for this very node.
  const moves = fleet.moves.filter(({ isStopping }) => !isStopping);
  const moving = clearOfMoves({ ...fleet, moves }, [node]);
  if (!isIdle(moving)) return moving;
  const plan = nodePlanOf(fleet.layout, node, fleet.release);
  const isRendered = seen.process.planHash === planHashOf(plan);
  const prepare: Step = { kind: 'prepareNode', host, plan };
  const steps = [stop, ...(isRendered ? [] : [prepare]), startStep(node)];
  return tryChain(fleet, steps, {
    what: `restarting ${key}, which hangs`,
    subject: key,
    remedy: `Look at that process on ${host} (redis.log, dmesg), end it by hand, then repair again`,
  });
}

/** Whether no living node reaches it any more; one that nobody knows is reached by nobody. */
export function isFailedByAll(fleet: Fleet, { key }: LayoutNode): boolean {
  return fleet.settledViews.every((view) => {
    const entries = [...view.nodes.values()].filter(
      (entry) => fleet.byEndpoint.get(endpointOf(entry))?.key === key,
    );
    return entries.every(({ flags }) => flags.includes('fail') || flags.includes('noaddr'));
  });
}
