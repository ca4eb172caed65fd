/**
 * The layout's processes: those that shall run are prepared and started, and looked after.
 *
 * An empty process at the address of a node that others know is dangerous: replicas of the old one
 * would copy its emptiness. So a node without data is only ever started while another living node
 * of its shard owns all of the shard's slots.
 */
import type { LayoutNode } from '../../model/layout.ts';
import type { NodeObservation } from '../../model/observation.ts';
import { nodePlanOf } from '../../model/step.ts';
import { planBuilds } from '../builds.ts';
import {
  prepareNode,
  refuseForeign,
  refuseStuck,
  startNode,
  startsSincePrepared,
  startStep,
  waitForAnswer,
} from '../nodes.ts';
import { planHashOf } from '../plan-hash.ts';
import { hostOf, isOnline, seenNode } from '../situation.ts';
import { blocking, IDLE, mergeTurns, stepping, waiting, type Turn } from '../turn.ts';
import { isOwnedElsewhere, isUp, isWiped, shallRun, type Fleet } from './fleet.ts';
import { planHung } from './hung.ts';
import { planReaddress, planRefit } from './readdress.ts';
import { isLostIdentity, planAnew, wasMadeAnew } from './recreate.ts';
import { explainOwner } from './shard-prospects.ts';

/** The first may have come too early: before a replica took over. */
const STARTS_BEFORE_ANEW = 2;

export function planProcesses(fleet: Fleet): Turn {
  const nodes = fleet.layout.nodes.filter((node) => shallRun(fleet, node));
  const running = { ...fleet, layout: { ...fleet.layout, nodes } };
  return mergeTurns([planBuilds(running), ...nodes.map((node) => planProcess(fleet, node))]);
}

function planProcess(fleet: Fleet, node: LayoutNode): Turn {
  if (!isOnline(fleet, node.host)) return IDLE;
  const seen = seenNode(fleet, node.key);
  if (seen === undefined) return waiting(node.key, 'not reported yet by its host');
  // A directory that is gone or empty under a node that its agent knows is nobody else's.
  const foreign = isWiped(seen) ? undefined : refuseForeign(fleet, node, seen);
  if (foreign !== undefined) return foreign;
  if (!isUp(seen) && !hasAddress(fleet, node)) return refuseAddress(fleet, node);
  return planByState(fleet, node, seen);
}

function planByState(fleet: Fleet, node: LayoutNode, seen: NodeObservation): Turn {
  const plan = nodePlanOf(fleet.layout, node, fleet.release);
  const isRendered = seen.process.planHash === planHashOf(plan) && !isWiped(seen);
  const { state, hasData, identityLost } = seen.process;
  switch (state) {
    case 'absent':
    case 'prepared':
    case 'stopped':
      if (identityLost) return planAnew(fleet, node, seen);
      if (!hasData && !isOwnedElsewhere(fleet, node)) return explainOwner(fleet, node);
      return isRendered ? startNode(fleet, node) : prepareNode(fleet, plan);
    case 'running':
      return planRunning(fleet, node, seen);
    case 'starting':
      return waitForAnswer(fleet, node, seen);
    case 'unresponsive':
      return planHung(fleet, node, seen);
    case 'backoff':
    case 'crash-loop':
    case 'held':
      if (isWiped(seen) || identityLost) return planAnew(fleet, node, seen);
      if (!isRendered) return planRefit(fleet, node);
      return planStuck(fleet, node, seen);
  }
}

function planRunning(fleet: Fleet, node: LayoutNode, seen: NodeObservation): Turn {
  const live = fleet.liveByKey.get(node.key);
  if (live === undefined) {
    const loads = seen.redis?.loading === true;
    return waiting(node.key, loads ? 'loading its data' : 'running, not observed yet');
  }
  if (isLostIdentity(fleet, live)) return planAnew(fleet, node, seen);
  return planReaddress(fleet, live, seen);
}

/**
 * It crashes, or its agent holds it back. It is started on purpose first, which keeps its data and
 * helps when the cause is gone: a full disk, or slots that another node has taken over since. Only
 * what fails twice is made anew.
 */
function planStuck(fleet: Fleet, node: LayoutNode, seen: NodeObservation): Turn {
  const { state, reason } = seen.process;
  const step = startStep(node);
  const starts = startsSincePrepared(fleet, node);
  const failures = starts.filter(({ outcome }) => outcome === 'failed');
  if (failures.length >= STARTS_BEFORE_ANEW) {
    // Anew it crashes as well: the cause is not in its directory.
    return wasMadeAnew(fleet, node) ? refuseStuck(node, seen) : planAnew(fleet, node, seen);
  }
  if (failures.length === 0) {
    if (state === 'backoff') return waiting(node.key, `${state}: ${reason}`);
    return startNode(fleet, node);
  }
  // The guard that holds a master back lets it start once another node owns its slots.
  return isOwnedElsewhere(fleet, node) ? stepping(step) : explainOwner(fleet, node);
}

/** Whether the host has the address that the node is to bind to, as far as it has reported any. */
export function hasAddress(fleet: Fleet, { host, address }: LayoutNode): boolean {
  const addresses = hostOf(fleet, host)?.facts?.addresses ?? [];
  // All of 127.0.0.0/8 is there without being any interface's address.
  const isLoopback = address.startsWith('127.') || address === '::1';
  return addresses.length === 0 || isLoopback || addresses.includes(address);
}

function refuseAddress(fleet: Fleet, { key, host, address }: LayoutNode): Turn {
  return blocking({
    rule: 'address-gone',
    subject: key,
    message: `Node ${key} binds to ${address}, which ${host} does not have any more.`,
    evidence: [`addresses of ${host}: ${(hostOf(fleet, host)?.facts?.addresses ?? []).join(', ')}`],
    remedy: `redrover host readdress ${host}`,
  });
}
