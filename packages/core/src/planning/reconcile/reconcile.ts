/**
 * Brings a running cluster to its layout, from whatever is true: after failovers, lost hosts, hung
 * or broken processes, and after a layout with other nodes, hosts or addresses was made.
 *
 * The order in which the phases depend on each other is here, and nothing else is. Each phase says
 * in its own file when it is safe; none relies on one before it having been done in this operation.
 */
import type { Finding } from '../../model/finding.ts';
import { planHosts } from '../hosts.ts';
import { layoutHosts, hostOf, type PlanInput } from '../situation.ts';
import { planTimingRestore } from '../timing.ts';
import { blocking, IDLE, isIdle, mergeTurns, waiting, type Turn } from '../turn.ts';
import { planVerify } from '../verify.ts';
import { missingCalm } from './agreement.ts';
import { findDecisions } from './decisions.ts';
import { planDepartures, planRemovals } from './departures.ts';
import { planDrains } from './drains.ts';
import {
  assessFleet,
  everyShard,
  hasMajority,
  hasSlots,
  shallRun,
  type Fleet,
  type OwnedShard,
} from './fleet.ts';
import { planForgetting } from './forget.ts';
import { planHandoffs } from './handoffs.ts';
import { planJoining } from './joining.ts';
import { planLastStarts } from './last-starts.ts';
import { planMoves } from './moves.ts';
import { awaitOrphanCounts } from './orphan-keys.ts';
import { inOrder, isBusy, type Phase } from './phases.ts';
import { planProcesses } from './processes.ts';
import { planProspects } from './shard-prospects.ts';

/** The turn, and what is left to a person meanwhile. */
export function planReconcile(input: PlanInput): Turn & { readonly decisions: Finding[] } {
  const fleet = assessFleet(input);
  return { ...planFleet(fleet), decisions: findDecisions(fleet) };
}

function planFleet(fleet: Fleet): Turn {
  const hosts = fleet.kind === 'change' ? planHosts(runningPart(fleet)) : IDLE;
  if (!isIdle(hosts)) return mergeTurns([planTimingRestore(runningPart(fleet)), hosts]);
  const joining = mergeTurns([
    planTimingRestore(runningPart(fleet)),
    planProcesses(fleet),
    planLastStarts(fleet),
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
    () => planHandoffs(fleet, 'urgent'),
    () => planMoves(fleet),
    () => planHandoffs(fleet),
    () => mergeTurns([planDrains(fleet), planDepartures(fleet)]),
    () => planForgetting(fleet),
    () => planRemovals(fleet),
    () => ({ ...IDLE, waits: missingCalm(fleet) }),
    () => awaitOrphanCounts(fleet),
    () =>
      planVerify(
        fleet,
        fleet.shards.map((owned) => ({ acting: hasSlots(owned) ? owned.owner : undefined })),
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
  const voting = everyShard(fleet).filter(hasSlots);
  const alive = voting.filter(isAlive);
  const gone = voting.filter((owned) => !isAlive(owned));
  return blocking({
    rule: 'no-majority',
    subject: fleet.layout.cluster,
    message:
      `Only ${alive.length} of ${voting.length} masters answer; without a majority Redis ` +
      'can neither elect nor hand over a master.',
    evidence: gone.map(({ shard, doubt }) => {
      const everyone = [...fleet.layout.nodes, ...fleet.former];
      const nodes = everyone.filter((node) => node.shard === shard.id);
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
