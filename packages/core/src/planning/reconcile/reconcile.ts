/**
 * Brings a running cluster to its layout, from whatever is true: after failovers, lost hosts, hung
 * or broken processes, and after a layout with other nodes, hosts or addresses was made.
 *
 * The order in which the phases depend on each other is here, and nothing else is. Each phase says
 * in its own file when it is safe; none relies on one before it having been done in this operation.
 */
import { planHosts } from '../hosts.ts';
import { layoutHosts, hostOf, type PlanInput } from '../situation.ts';
import { planTimingRestore } from '../timing.ts';
import { blocking, IDLE, isIdle, mergeTurns, waiting, type Turn } from '../turn.ts';
import { planVerify } from '../verify.ts';
import { missingCalm } from './agreement.ts';
import { planDepartures, planRemovals } from './departures.ts';
import { planDrains } from './drains.ts';
import { assessFleet, hasMajority, shallRun, type Fleet, type OwnedShard } from './fleet.ts';
import { planForgetting } from './forget.ts';
import { planHandoffs } from './handoffs.ts';
import { planJoining } from './joining.ts';
import { inOrder, isBusy, type Phase } from './phases.ts';
import { planProcesses } from './processes.ts';
import { planProspects } from './shard-prospects.ts';

export function planReconcile(input: PlanInput): Turn {
  const fleet = assessFleet(input);
  const hosts = fleet.kind === 'change' ? planHosts(runningPart(fleet)) : IDLE;
  if (!isIdle(hosts)) return mergeTurns([planTimingRestore(runningPart(fleet)), hosts]);
  const joining = mergeTurns([
    planTimingRestore(runningPart(fleet)),
    planProcesses(fleet),
    planJoining(fleet),
  ]);
  const prospects = planProspects(fleet);
  const beginning: Phase[] = [() => joining, () => planMajority(fleet), () => prospects];
  const isStanding = hasMajority(fleet) && prospects.blockers.length === 0;
  if (!isStanding) return inOrder(beginning);
  const isImpaired = joining.blockers.length > 0;
  return inOrder([...beginning, ...restOf({ ...fleet, isImpaired })]);
}

/** What is only done to a cluster that has all its slots and can elect masters. */
function restOf(fleet: Fleet): Phase[] {
  return [
    () => planHandoffs(fleet),
    () => mergeTurns([planDrains(fleet), planDepartures(fleet)]),
    () => planForgetting(fleet),
    () => planRemovals(fleet),
    () => ({ ...IDLE, waits: missingCalm(fleet) }),
    () =>
      planVerify(
        fleet,
        fleet.shards.map(({ owner }) => ({ acting: owner })),
      ),
    () => awaitSuspects(fleet),
  ];
}

/** The part of the layout that shall run. */
function runningPart(fleet: Fleet): Fleet {
  const nodes = fleet.layout.nodes.filter((node) => shallRun(fleet, node));
  return { ...fleet, layout: { ...fleet.layout, nodes } };
}

/** Without a majority of masters nothing can be handed over or elected. */
function planMajority(fleet: Fleet): Turn {
  if (hasMajority(fleet)) return IDLE;
  const suspects = awaitSuspects(fleet);
  if (isBusy(suspects)) return suspects;
  const isAlive = ({ owner, remoteId }: OwnedShard) =>
    owner !== undefined || remoteId !== undefined;
  const alive = fleet.shards.filter(isAlive);
  const gone = fleet.shards.filter((owned) => !isAlive(owned));
  return blocking({
    rule: 'no-majority',
    subject: fleet.layout.cluster,
    message:
      `Only ${alive.length} of ${fleet.shards.length} masters answer; without a majority Redis ` +
      'can neither elect nor hand over a master.',
    evidence: gone.map(({ shard, doubt }) => {
      const nodes = fleet.layout.nodes.filter((node) => node.shard === shard.id);
      return `shard ${shard.id} (${nodes.map(({ key }) => key).join(', ')}): ${doubt}`;
    }),
    remedy: `Bring hosts with these nodes back, then redrover cluster repair ${fleet.layout.cluster}`,
  });
}

/** A host is suspect for seconds only: then it is back, or lost. */
function awaitSuspects(fleet: Fleet): Turn {
  const suspects = layoutHosts(runningPart(fleet).layout).filter(
    (name) => hostOf(fleet, name)?.status === 'suspect',
  );
  return mergeTurns(suspects.map((name) => waiting(name, 'host suspect: soon back, or lost')));
}
