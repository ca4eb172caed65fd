/**
 * Makes a layout real: builds, processes, slots, mesh, replicas, proof; each phase in its own file.
 *
 * The order in which the phases depend on each other is here, and nothing else is.
 */
import { missingAgreement, missingSync } from './agreement.ts';
import { planBuilds } from './builds.ts';
import { planClaims } from './claims.ts';
import { planConflicts } from './conflicts.ts';
import { planHosts } from './hosts.ts';
import { planMeets, planProbes } from './mesh.ts';
import { planNodes } from './nodes.ts';
import { planReplicas } from './replicas.ts';
import { assessShards, type ShardState } from './shards.ts';
import { allLive, type Situation } from './situation.ts';
import { chooseTimingMode, planTiming } from './timing.ts';
import { isIdle, mergeTurns, type Turn } from './turn.ts';
import { planVerify } from './verify.ts';

export function planCreate(situation: Situation): Turn {
  const processes = mergeTurns([planHosts(situation), planBuilds(situation), planNodes(situation)]);
  if (!isIdle(processes) || !allLive(situation)) {
    return mergeTurns([planTiming(situation, chooseTimingMode(situation, false)), processes]);
  }
  const conflicts = planConflicts(situation);
  if (!isIdle(conflicts)) return conflicts;
  return planForming(situation, assessShards(situation));
}

/** All nodes run and nothing is in the way: claim, meet, attach, wait, verify. */
function planForming(situation: Situation, shards: readonly ShardState[]): Turn {
  const unformed = missingAgreement(situation, shards);
  const formed = unformed.length === 0;
  // Timing first: the steps of one node are done in list order, and slots that are claimed
  // under a short timeout are served sooner.
  const timing = planTiming(situation, chooseTimingMode(situation, formed));
  const claims = planClaims(situation, shards);
  const probes = planProbes(situation);
  const alone = mergeTurns([timing, probes, claims]);
  // No MEET before every epoch and slot is in place and every port has been probed.
  if (!isIdle(claims) || !isIdle(probes)) return alone;
  const joining = mergeTurns([planMeets(situation), planReplicas(situation, shards)]);
  if (!isIdle(joining)) return mergeTurns([timing, joining]);
  const waits = [...unformed, ...missingSync(shards)];
  if (waits.length > 0) return mergeTurns([timing, { steps: [], waits, blockers: [] }]);
  return mergeTurns([timing, planVerify(situation, shards)]);
}
